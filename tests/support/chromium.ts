import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { findTestProgram, type TestProgram, type WantedProgram } from "../setup/testProgram.ts";

const wanted: WantedProgram = {
  names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  packages: ["chromium-headless-shell", "chromium-common"],
  binary: "usr/lib/chromium/chromium-headless-shell",
  versionFlag: "--version",
  install: "apt-get install chromium, or name one with HUB_CHROMIUM",
};

/** `HUB_CHROMIUM`, or the Chromium of this machine, or a copy that is fetched; throws when there is none to be had. */
export async function findChromium(): Promise<TestProgram> {
  const named = process.env.HUB_CHROMIUM;
  return named === undefined ? findTestProgram(wanted) : { path: named, env: {} };
}

/** A page in a real Chromium. */
export interface ChromiumPage {
  /** Runs a script, of which the top level may await; what it wrote to the console, line by line. Throws what it throws. */
  run(script: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Starts `program` without a window and opens `url`. */
export async function openChromium({ path, env }: TestProgram, url: string): Promise<ChromiumPage> {
  const profile = mkdtempSync(join(tmpdir(), "hub-chromium-"));
  const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
  const browser = spawn(path, [...args, `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const gone = new Promise<void>((resolve) => browser.once("close", () => resolve()));
  const close = async (): Promise<void> => {
    browser.kill("SIGKILL");
    await gone;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const page = await attach(await debuggingUrl(browser), url);
    return { ...page, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function debuggingUrl(browser: ChildProcess): Promise<string> {
  if (browser.stderr === null) throw new Error("Chromium has no stderr");
  const said: string[] = [];
  for await (const line of createInterface(browser.stderr)) {
    const [, url] = /DevTools listening on (ws:\S+)/.exec(line) ?? [];
    // What it says later must not fill the pipe.
    if (url !== undefined) {
      browser.stderr.resume();
      return url;
    }
    said.push(line);
  }
  throw new Error(`Chromium ended: ${said.join("\n")}`);
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
  readonly params?: Record<string, unknown>;
}

async function attach(debugging: string, url: string): Promise<Pick<ChromiumPage, "run">> {
  const socket = new WebSocket(debugging);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const waiting = new Map<number, (message: Message) => void>();
  const events = new Set<(message: Message) => void>();
  socket.on("message", (data) => {
    const message: Message = JSON.parse(String(data));
    if (message.id === undefined) for (const listener of events) listener(message);
    else waiting.get(message.id)?.(message);
  });
  let last = 0;
  const call = async (method: string, params: object = {}, sessionId?: unknown): Promise<Record<string, unknown>> => {
    const id = ++last;
    const answered = new Promise<Message>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    const { error, result = {} } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  };
  const { targetId } = await call("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
  await call("Page.enable", {}, sessionId);
  await call("Runtime.enable", {}, sessionId);
  const loaded = new Promise<void>((resolve) => {
    events.add(({ method }) => {
      if (method === "Page.loadEventFired") resolve();
    });
  });
  await call("Page.navigate", { url }, sessionId);
  await loaded;
  return {
    async run(script) {
      // Values as Node would print them are made over there: only texts come across.
      const wrapped = `const __lines = []; console.log = (...values) => __lines.push(values);\n${script}\n;JSON.stringify(__lines)`;
      const options = { expression: wrapped, awaitPromise: true, replMode: true, returnByValue: true };
      const { result, exceptionDetails } = await call("Runtime.evaluate", options, sessionId);
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return linesOf((result as { readonly value: string }).value);
    },
  };
}

function linesOf(json: string): readonly string[] {
  return (JSON.parse(json) as unknown[][]).map((values) => values.map(asNodePrints).join(" "));
}

function asNodePrints(value: unknown): string {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return JSON.stringify(value);
  return value.length === 0 ? "[]" : `[ ${value.map((each) => `'${each}'`).join(", ")} ]`;
}
