import type { Box, ProcessStatus } from "./box.ts";
import { waitFor } from "./waitFor.ts";

/** What is killed in each act. */
export const victims = ["edge", "commands", "projector", "nats", "postgres"] as const;
export type Victim = (typeof victims)[number];

const backMs = 60_000;
const pollMs = 500;

/** Finds the process now, so that it can be killed later at an exact moment; `kill` is SIGKILL. */
export async function aimAt(
  box: Box,
  name: Victim,
): Promise<{ readonly kill: () => void; readonly isBack: () => Promise<void> }> {
  const before = await statusOf(box, name);
  return {
    kill: () => process.kill(before.pid ?? 0, "SIGKILL"),
    isBack: () =>
      waitFor(
        `${name} is back`,
        async () => {
          // Asked first, because it costs next to nothing: each `hub` is a process that takes its time from the box.
          if (!(await isReady(box))) return false;
          const now = await statusOf(box, name);
          return now.pid !== null && now.pid !== before.pid && now.state === "ready";
        },
        backMs,
        pollMs,
      ),
  };
}

async function statusOf(box: Box, name: Victim): Promise<ProcessStatus> {
  const found = (await box.processes()).find((one) => one.name === name);
  if (found === undefined) throw new Error(`The box has no process ${name}.`);
  return found;
}

async function isReady(box: Box): Promise<boolean> {
  try {
    return (await fetch(`${box.address}/ready`)).ok;
  } catch {
    return false;
  }
}
