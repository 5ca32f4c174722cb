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
export const serviceCommands: { readonly [service: string]: ReadonlySet<string> } = {
  placement: new Set(["reportPressure", "recordReplica", "dropLocal"] satisfies (keyof typeof contentCommands)[]),
  operator: new Set(["addNode"] satisfies (keyof typeof contentCommands)[]),
};
