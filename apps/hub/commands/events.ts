import { decodeCommit, type Lane } from "@connect-hub/domain/kernel";
import { type Command, InvalidArgumentError } from "commander";
import type { CommandContext } from "../cli.ts";
import { eventLines, eventText } from "../eventLine.ts";
import { exitCodes } from "../exitCodes.ts";
import { withLanes } from "../lanes.ts";
import { textTable } from "../table.ts";
import { untilSignal } from "../untilSignal.ts";
import { type LaneVerdict, verifyLane } from "../verifyLane.ts";

interface TailOptions {
  readonly lane?: string;
  readonly from?: number;
  readonly follow: boolean;
  readonly json?: true;
}

/** How many commits of each lane `events tail` begins with. */
const tailCommits = 10;

/** `hub events tail` and `hub events verify`: the log itself, without any key. */
export function registerEvents(program: Command, context: CommandContext): void {
  const events = program.command("events").description("the log: every event, in its order");
  events
    .command("tail")
    .description("print the newest events, then each one as it comes")
    .option("--lane <lane>", "only this lane, for example rooms.0")
    .option("--from <n>", `start at this commit (default: the newest ${tailCommits} of each lane)`, commitNumber)
    .option("--no-follow", "end at the head of the log")
    .option("--json", "one JSON object a line")
    .action((options: TailOptions) =>
      withLanes(context, options.lane, async (lanes) => {
        const { signal, release } = untilSignal();
        await Promise.all(lanes.map((lane) => tail(lane, options, signal))).finally(release);
      }),
    );
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

async function tail(lane: Lane, options: TailOptions, signal: AbortSignal): Promise<void> {
  const last = await lane.lastNumber();
  const from = options.from ?? Math.max(1, last - tailCommits + 1);
  if (!options.follow && from > last) return;
  for await (const batch of lane.read(from, signal)) {
    for (const { n, bytes } of batch) {
      for (const line of eventLines(decodeCommit(bytes))) {
        console.log(options.json === true ? JSON.stringify(line) : eventText(line));
      }
      if (!options.follow && n >= last) return;
    }
  }
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

function commitNumber(text: string): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n < 1)
    throw new InvalidArgumentError("a commit's number is a whole number from 1 on.");
  return n;
}
