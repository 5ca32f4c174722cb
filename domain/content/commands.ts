import type { CommandDefinition } from "../kernel/command.ts";
import { claimFile, confirmFile, forwardFile, releaseFile } from "./fileCommands.ts";
import { addNode, dropLocal, recordReplica, reportPressure } from "./placementCommands.ts";

/** The commands of the lane of content. */
export const contentCommands = {
  claimFile,
  forwardFile,
  confirmFile,
  releaseFile,
  reportPressure,
  addNode,
  recordReplica,
  dropLocal,
} satisfies { [kind: string]: CommandDefinition };

/** What each service of the system may send, by the name that it has on `sys.<name>.>`. */
export const serviceCommands: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    placement: ["reportPressure", "recordReplica", "dropLocal"],
    operator: ["addNode"],
  } satisfies { [service: string]: readonly (keyof typeof contentCommands)[] }),
);
