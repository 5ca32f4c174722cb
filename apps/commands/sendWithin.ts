import type { Command, CommandReply } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { KeptLane } from "./keepLane.ts";

/** Sends a reactor's command to a writer in this process. */
export function sendWithin(kept: ReadonlyMap<LaneId, KeptLane>, lane: LaneId, command: Command): Promise<CommandReply> {
  const writer = kept.get(lane)?.writer;
  if (writer === undefined) return Promise.resolve({ refused: { code: "LaneMoved" } });
  return new Promise((resolve) => {
    const giveUp = (): void => resolve({ refused: { code: "DeadlinePassed" } });
    const timer = setTimeout(giveUp, Math.max(0, command.deadlineAt - Date.now()) + graceMs);
    writer.submit(command, (reply) => {
      clearTimeout(timer);
      resolve(reply);
    });
  });
}

const graceMs = 1_000;
