import { readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../demo/waitFor.ts";

const readyMs = 60_000;
const backMs = 30_000;

/**
 * Starts what consists of several things. `onBox` is given what ends it all, in turn, before anything is started; when the start fails, what was
 * started is ended.
 */
export async function startWhole<T extends object>(
  onBox: (close: () => Promise<void>) => void,
  start: (closers: (() => Promise<unknown>)[]) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  onBox(close);
  try {
    return { ...(await start(closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Of this process's environment what has nothing to do with a hub. */
export function inherited(): Record<string, string> {
  const all = Object.entries(process.env);
  return Object.fromEntries(
    all.flatMap(([name, value]) => (value === undefined || name.startsWith("HUB_") ? [] : [[name, value]])),
  );
}

/** Resolves when the edge at an address lets people in. */
export async function waitForEdge(address: string): Promise<void> {
  await waitFor("the edge is ready", () => isReady(address), readyMs);
}

async function isReady(address: string): Promise<boolean> {
  try {
    // Where several edges share a port, each connection may come to another one.
    return (await fetch(`${address}/ready`, { headers: { connection: "close" } })).ok;
  } catch {
    return false;
  }
}

/** Kills a process of the box's supervisor and waits until it runs again. */
export async function killSupervised(folder: string, name: string): Promise<void> {
  const pid = () => Number(readFileSync(join(folder, `run/${name}.pid`), "utf8").split("\n")[0]);
  const before = pid();
  process.kill(before, "SIGKILL");
  const isBack = () => {
    try {
      return pid() !== before;
    } catch {
      return false;
    }
  };
  await waitFor(`${name} runs again`, isBack, backMs, 50);
}
