import { existsSync } from "node:fs";
import { openDataFolder } from "@connect-hub/runtime";
import type { Command } from "commander";
import { stopBox } from "../box/stopBox.ts";
import type { CommandContext } from "../cli.ts";

/** `hub down`: stops the box, whoever started it. */
export function registerDown(program: Command, context: CommandContext): void {
  program
    .command("down")
    .description("stop the box and wait until everything in it is gone")
    .option("--json", "for programs")
    .action(async ({ json }: { readonly json?: true }) => {
      const { dataDir } = context.config();
      const stopped = existsSync(dataDir) ? await stopBox(openDataFolder(dataDir)) : nothing;
      if (stopped.outcome === "stuck") {
        const { pid, waitedMs } = stopped;
        throw new Error(`Process ${pid} has not stopped in ${waitedMs / 1_000} s; see ${dataDir}/logs.`);
      }
      const { outcome } = stopped;
      console.log(json === true ? JSON.stringify({ outcome, dataFolder: dataDir }) : `${words[outcome]} ${dataDir}.`);
    });
}

const nothing = { outcome: "nothing" } as const;
const words = {
  stopped: "Stopped the box in",
  leftovers: "Ended what a killed box left in",
  nothing: "Nothing runs in",
} as const;
