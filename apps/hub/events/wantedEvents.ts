import { decodeCommit, type Lane } from "@connect-hub/domain/kernel";
import { type EventFilter, isWanted, mayHold } from "./eventFilter.ts";
import { type EventLine, eventLines } from "./eventLine.ts";
import { lastCommitBy } from "./findCommit.ts";

/** A part of a lane: commits `from` … `to`; without `to` also those that come. */
export interface LaneRange {
  readonly from: number;
  readonly to?: number | undefined;
}

/** The commits of a lane that the filter's instants leave, up to the present head unless it is to be followed. */
export async function rangeOf(lane: Lane, { sinceMs, untilMs }: EventFilter, follow: boolean): Promise<LaneRange> {
  const from = sinceMs === undefined ? 1 : (await lastCommitBy(lane, sinceMs - 1)) + 1;
  if (untilMs !== undefined) return { from, to: await lastCommitBy(lane, untilMs) };
  return { from, to: follow ? undefined : await lane.lastNumber() };
}

/** The wanted events of a part of a lane, those of one commit at a time. `onRead` is told of each batch's last commit. */
export async function* wantedEvents(
  lane: Lane,
  { from, to = Number.POSITIVE_INFINITY }: LaneRange,
  filter: EventFilter,
  { signal, onRead }: { readonly signal: AbortSignal; onRead?(n: number): void },
): AsyncGenerator<readonly EventLine[], void> {
  if (from > to) return;
  for await (const batch of lane.read(from, signal)) {
    for (const { n, bytes } of batch) {
      if (n > to) return;
      if (!mayHold(bytes, filter)) continue;
      const commit = decodeCommit(bytes);
      const lines = eventLines(commit, (event) => isWanted(event, commit, filter));
      if (lines.length > 0) yield lines;
    }
    const last = batch.at(-1)?.n ?? 0;
    onRead?.(Math.min(last, to));
    if (last >= to) return;
  }
}
