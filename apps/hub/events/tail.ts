import type { Lane } from "@connect-hub/domain/kernel";
import { type Command, InvalidArgumentError } from "commander";
import type { CommandContext } from "../cli.ts";
import { withLanes } from "../lanes.ts";
import { untilSignal } from "../untilSignal.ts";
import { isNarrow } from "./eventFilter.ts";
import { eventText } from "./eventLine.ts";
import { type FilterOptions, filterOf, withFilterOptions } from "./filterOptions.ts";
import { rangeOf, wantedEvents } from "./wantedEvents.ts";

interface TailOptions extends FilterOptions {
  readonly lane?: string;
  readonly from?: number;
  readonly follow: boolean;
  readonly json?: true;
}

/** How many commits of each lane it begins with when nothing says where. */
const tailCommits = 10;

/** `hub events tail`: what happens, as it happens. */
export function registerTail(events: Command, context: CommandContext): void {
  const tailing = events
    .command("tail")
    .description("print the newest events, then each one as it comes")
    .option("--lane <lane>", "only this lane, for example rooms.0")
    .option(
      "--from <n>",
      `start at this commit (default: the newest ${tailCommits} of each lane, or with a filter all)`,
      commitNumber,
    );
  withFilterOptions(tailing)
    .option("--no-follow", "end at the head of the log; so does --until")
    .option("--json", "one JSON object a line")
    .action((options: TailOptions) =>
      withLanes(context, options.lane, async (lanes) => {
        const { signal, release } = untilSignal();
        const printed = await Promise.all(lanes.map((lane) => tail(lane, options, signal))).finally(release);
        if (!signal.aborted && printed.every((count) => count === 0))
          process.stderr.write("No event on the log is like that.\n");
      }),
    );
}

/** Prints what is wanted, and says how much it was. */
async function tail(lane: Lane, options: TailOptions, signal: AbortSignal): Promise<number> {
  const filter = filterOf(options);
  const range = await rangeOf(lane, filter, options.follow);
  const isAll = options.since !== undefined || isNarrow(filter);
  const newest = Math.max(1, (range.to ?? (await lane.lastNumber())) - tailCommits + 1);
  const from = options.from ?? (isAll ? range.from : newest);
  let printed = 0;
  for await (const lines of wantedEvents(lane, { ...range, from }, filter, { signal })) {
    for (const line of lines) console.log(options.json === true ? JSON.stringify(line) : eventText(line));
    printed += lines.length;
  }
  return printed;
}

function commitNumber(text: string): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n < 1)
    throw new InvalidArgumentError("a commit's number is a whole number from 1 on.");
  return n;
}
