import type { Command } from "commander";
import type { CommandContext } from "../cli.ts";
import { registerExport } from "../events/exportEvents.ts";
import { registerHeads } from "../events/heads.ts";
import { registerProve } from "../events/prove.ts";
import { registerShow } from "../events/show.ts";
import { registerTail } from "../events/tail.ts";
import { registerTypes } from "../events/types.ts";
import { registerVerify } from "../events/verify.ts";

/** `hub events …`: the log itself, without any key. Each of its commands is a file in `events/`. */
export function registerEvents(program: Command, context: CommandContext): void {
  const events = program.command("events").description("the log: every event, in its order");
  const all = [registerTail, registerShow, registerExport, registerVerify, registerHeads, registerProve, registerTypes];
  for (const register of all) register(events, context);
}
