import { existsSync } from "node:fs";
import { openDataFolder } from "@connect-hub/runtime";
import type { Command } from "commander";
import { stopBox } from "../box/stopBox.ts";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";

/** `hub down`: stops the box, whoever started it. */
export function registerDown(program: Command, context: CommandContext): void {
  program
    .command("down")
    .description("stop the box and wait until everything in it is gone")
    .action(async () => {
      const { dataDir } = context.config();
      if (!existsSync(dataDir)) return console.log(`Nothing runs in ${dataDir}.`);
      const folder = openDataFolder(dataDir);
      const stopped = await stopBox(folder);
      if (stopped.outcome === "stuck") {
        const { pid, waitedMs } = stopped;
        console.error(`Process ${pid} has not stopped in ${waitedMs / 1_000} s; see ${folder.logs}.`);
        context.exitWith(exitCodes.failed);
      } else if (stopped.outcome === "stopped") console.log(`Stopped the box in ${folder.path}.`);
      else if (stopped.outcome === "leftovers") console.log(`Ended what a killed box left in ${folder.path}.`);
      else console.log(`Nothing runs in ${folder.path}.`);
    });
}
