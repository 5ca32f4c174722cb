import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunningSshd } from "@connect-hub/runtime";
import type { Box } from "./box.ts";
import { waitFor } from "./waitFor.ts";

const moveMs = 60_000;
const backMs = 30_000;
/** A small file is on its way for some milliseconds. */
const lookMs = 2;

/** Kills the placement worker while it writes to a node; returns when another works. */
export async function killWorker(box: Box, nodes: readonly RunningSshd[]): Promise<void> {
  const pid = () => Number(readFileSync(join(box.folder, "run/placement.pid"), "utf8").split("\n")[0]);
  const before = pid();
  await waitFor("a file is on its way to a node", () => nodes.some(isWrittenTo), moveMs, lookMs);
  process.kill(before, "SIGKILL");
  const isBack = () => {
    try {
      return pid() !== before;
    } catch {
      return false;
    }
  };
  await waitFor("placement is back", isBack, backMs, 50);
}

/** Kills a node, with all its connections, while a file is written to it; returns when it answers again. */
export async function killNode(node: RunningSshd): Promise<void> {
  const before = node.process.restarts;
  await waitFor("a file is on its way to the node", () => isWrittenTo(node), moveMs, lookMs);
  node.signal("SIGKILL");
  const isBack = () => node.process.restarts > before && node.process.state === "ready";
  await waitFor("the node is back", isBack, backMs, 50);
}

function isWrittenTo(node: RunningSshd): boolean {
  try {
    return readdirSync(join(node.folder, ".tmp")).length > 0;
  } catch {
    // It was never connected to.
    return false;
  }
}
