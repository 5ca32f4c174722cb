import type { Lane } from "@connect-hub/domain/kernel";
import { BadSetting } from "@connect-hub/runtime/settings";
import { type Command, InvalidArgumentError } from "commander";
import type { CommandContext } from "../cli.ts";
import { withLanes } from "../lanes.ts";
import { untilSignal } from "../untilSignal.ts";
import { assertNamed } from "./assertNamed.ts";
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
        if (options.from !== undefined) await assertBegins(lanes, options.from);
        const { signal, release } = untilSignal();
        try {
          const printed = await Promise.all(lanes.map((lane) => tail(lane, options, signal)));
          if (signal.aborted || printed.some((count) => count > 0)) return;
          await assertNamed(lanes, filterOf(options), signal);
          if (options.json !== true) process.stderr.write("No event on the log is like that.\n");
        } finally {
          release();
        }
      }),
    );
}

/** Throws `BadSetting` when it is beyond the head of all these lanes: the next commit of one may be waited for, but none after that. */
async function assertBegins(lanes: readonly Lane[], from: number): Promise<void> {
  const heads = await Promise.all(lanes.map(async (lane) => ({ id: lane.id, last: await lane.lastNumber() })));
  if (heads.some(({ last }) => from <= last + 1)) return;
  const ends = heads.map(({ id, last }) => `the last one of ${id} is ${last}`);
  throw new BadSetting(`There is no commit ${from}: ${ends.join(", ")}.`);
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
