import type { Command } from "commander";
import { catchUpProblem, waitCaughtUp } from "../catchUp.ts";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";
import { withLanes } from "../lanes.ts";
import { withReadTables } from "../readTables.ts";
import { seconds } from "../seconds.ts";
import { untilSignal } from "../untilSignal.ts";
import { lagTable } from "./projections.ts";

/** `hub wait-caught-up`: until the tables have what is in the log now. */
export function registerWaitCaughtUp(program: Command, context: CommandContext): void {
  program
    .command("wait-caught-up")
    .description("wait until the read tables have everything that is in the log now")
    .option("--timeout <seconds>", "how long at most", seconds, 60)
    .option("--json", "for programs")
    .action(({ timeout, json }: { readonly timeout: number; readonly json?: true }) =>
      withReadTables(context, (tables) =>
        withLanes(context, undefined, async (lanes) => {
          const { signal, release } = untilSignal();
          const result = await waitCaughtUp({ tables, lanes, timeoutMs: timeout * 1_000, signal }).finally(release);
          console.log(json === true ? JSON.stringify(result, undefined, 2) : lagTable(result.lanes));
          if (result.outcome === "caughtUp") return;
          // For programs the outcome says it.
          if (json !== true) process.stderr.write(`${catchUpProblem(result)}\n`);
          context.exitWith(exitCodes.failed);
        }),
      ),
    );
}
