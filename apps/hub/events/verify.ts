import type { Command } from "commander";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";
import { withLanes } from "../lanes.ts";
import { textTable } from "../table.ts";
import { untilSignal } from "../untilSignal.ts";
import { type LaneVerdict, verifyLane } from "./verifyLane.ts";

/** `hub events verify`: whether the log is what it says that it is. */
export function registerVerify(events: Command, context: CommandContext): void {
  events
    .command("verify")
    .description("read the whole log and check its chain of hashes and the roots of all entries")
    .option("--lane <lane>", "only this lane")
    .option("--json", "for programs")
    .action(({ lane, json }: { readonly lane?: string; readonly json?: true }) =>
      withLanes(context, lane, async (lanes) => {
        const { signal, release } = untilSignal();
        const verdicts = await Promise.all(lanes.map((one) => verifyLane(one, signal))).finally(release);
        console.log(json === true ? JSON.stringify(verdicts, undefined, 2) : verdictTable(verdicts));
        if (verdicts.some(({ fault }) => fault !== undefined)) context.exitWith(exitCodes.failed);
      }),
    );
}

function verdictTable(verdicts: readonly LaneVerdict[]): string {
  return textTable(
    ["lane", "commits", "events", "verdict"],
    verdicts.map(({ lane, commits, events, fault }) => {
      const verdict = fault === undefined ? "whole" : `commit ${fault.n}: ${fault.what}`;
      return [lane, String(commits), String(events), verdict];
    }),
  );
}
