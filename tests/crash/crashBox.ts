import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunningSshd } from "@connect-hub/runtime";
import { register, type Session, signIn } from "@connect-hub/sdk";
import { appEnvironment, readConnections } from "../../apps/hub/box/connections.ts";
import { type Box, startBox } from "../demo/box.ts";
import { addNode } from "../demo/nodes.ts";
import { type KeptApp, keepApp } from "../faults/keptApp.ts";
import { inherited, startWhole, waitForEdge } from "../faults/ownBox.ts";
import { filesIn, startBoxNodes } from "../support/boxNodes.ts";
import type { Door } from "../support/fileDoor.ts";

/** A box whose edge and placement die where they are told to. */
export interface CrashBox {
  readonly box: Box;
  readonly node: RunningSshd;
  readonly edge: KeptApp;
  readonly placement: KeptApp;
  /** Somebody who is signed in. */
  readonly door: Door;
  readonly session: Session;
  /** Lets the process that comes by a step for the nth time from now on die there. */
  arm(step: string, nth: number): void;
  /** Whether that has yet to happen. */
  isArmed(step: string): boolean;
  /** What the server's disk has, by hash. */
  local(): ReadonlySet<string>;
  close(): Promise<void>;
}

/** Small, so that files are on the move all the time. */
const budgetBytes = 16 * 1024 ** 2;
const tickMs = 150;

/**
 * Starts the servers, `commands` and `projector` as an operator would, a node, and, in their own hands, `edge` and `placement`. `onBox`
 * is given what ends it all, before anything is started.
 */
export async function startCrashBox(onBox: (close: () => Promise<void>) => void): Promise<CrashBox> {
  return startWhole(onBox, start);
}

async function start(closers: (() => Promise<unknown>)[]): Promise<Omit<CrashBox, "close">> {
  const box = await startBox((end) => closers.push(end), {
    HUB_PROCESSES: "commands,projector",
    HUB_CONTENT_BYTES: String(budgetBytes),
  });
  const connections = readConnections(box.folder);
  const nodes = await startBoxNodes(box.folder, `${box.folder}.nodes`, ["cellar"]);
  closers.push(() => nodes.close());
  const [node] = nodes.all;
  if (node === undefined) throw new Error("There is no node.");
  const failpoints = join(box.folder, "failpoints");
  mkdirSync(failpoints);
  const keep = (name: "edge" | "placement") => {
    const kept = keepApp({
      name,
      logFile: join(box.folder, "logs", `${name}.log`),
      env: {
        ...inherited(),
        ...appEnvironment([name], connections, box.folder),
        HUB_FAILPOINT_FOLDER: failpoints,
        HUB_PLACEMENT_TICK_MS: String(tickMs),
        HUB_LOG_LEVEL: "warn",
      },
    });
    closers.push(() => kept.close());
    return kept;
  };
  const edge = keep("edge");
  const placement = keep("placement");
  await Promise.all([edge.ready(), placement.ready(), addNode(box, "cellar", node)]);
  await waitForEdge(box.address);
  const person = { url: box.address, email: "crash@test.example", password: "a long enough password" };
  await register({ ...person, name: "Crash" });
  const session = await signIn(person);
  return {
    box,
    node,
    edge,
    placement,
    session,
    door: { address: box.address, token: session.token },
    arm: (step, nth) => writeFileSync(join(failpoints, step), String(nth)),
    isArmed: (step) => existsSync(join(failpoints, step)),
    local: () =>
      new Set(filesIn(join(box.folder, "content/blobs")).map(({ name }) => name.slice(name.lastIndexOf("/") + 1))),
  };
}
