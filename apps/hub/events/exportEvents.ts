import type { Lane } from "@connect-hub/domain/kernel";
import type { Command } from "commander";
import type { CommandContext } from "../cli.ts";
import { withLanes } from "../lanes.ts";
import { progressBar } from "../progressBar.ts";
import { typed } from "../typed.ts";
import { untilSignal } from "../untilSignal.ts";
import { assertNamed } from "./assertNamed.ts";
import { type FilterOptions, filterOf, withFilterOptions } from "./filterOptions.ts";
import { rangeOf, wantedEvents } from "./wantedEvents.ts";
import { writeWholeFile } from "./wholeFile.ts";

interface ExportOptions extends FilterOptions {
  readonly lane?: string;
  readonly json?: true;
}

/** `hub events export`: the log, or a part of it, as a file. */
export function registerExport(events: Command, context: CommandContext): void {
  const exporting = events
    .command("export")
    .description("write events to a file, one JSON object a line, lane by lane; whole or not at all")
    .argument("<file>", "where to; what is there is replaced in the end")
    .option("--lane <lane>", "only this lane, for example rooms.0");
  withFilterOptions(exporting)
    .option("--json", "for programs")
    .action((path: string, options: ExportOptions) =>
      withLanes(context, options.lane, async (lanes) => {
        const file = typed(path);
        const { signal, release } = untilSignal();
        const written = await exportTo(file, lanes, options, signal).finally(release);
        console.log(
          options.json === true ? JSON.stringify({ file, ...written }) : `${written.events} events are in ${file}.`,
        );
      }),
    );
}

async function exportTo(file: string, lanes: readonly Lane[], options: FilterOptions, signal: AbortSignal) {
  const filter = filterOf(options);
  // All lanes as they are now, before the first is read.
  const parts = await Promise.all(lanes.map(async (lane) => ({ lane, range: await rangeOf(lane, filter, false) })));
  const bar = progressBar("commits");
  const total = parts.reduce((sum, { range: { from, to = 0 } }) => sum + Math.max(0, to - from + 1), 0);
  let events = 0;
  let done = 0;
  try {
    await writeWholeFile(file, async (write) => {
      for (const { lane, range } of parts) {
        const onRead = (n: number): void => bar.show(done + n - range.from + 1, total);
        for await (const lines of wantedEvents(lane, range, filter, { signal, onRead })) {
          events += lines.length;
          await write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
        }
        signal.throwIfAborted();
        done += Math.max(0, (range.to ?? 0) - range.from + 1);
      }
      if (events === 0) await assertNamed(lanes, filter, signal);
    });
  } finally {
    bar.end();
  }
  return { events, lanes: parts.map(({ lane, range }) => ({ lane: lane.id, from: range.from, to: range.to ?? 0 })) };
}
