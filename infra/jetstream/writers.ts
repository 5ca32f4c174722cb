import type { Beat } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";

/** Who writes each lane at present, as far as was heard. */
export interface Writers {
  /** The writer to send commands to; undefined when none was heard of for a while. */
  of(lane: LaneId): string | undefined;
  /** The highest term heard of; what a lower one says does not count any more. */
  termOf(lane: LaneId): number;
  heard(of: Pick<Beat, "lane" | "term" | "writer">): void;
}

/** Three beats and a half. */
const silentAfterMs = 3_500;

/** `now`: a clock in milliseconds that never goes back. `onChange` hears of each writer that another one took over from. */
export function writers(now: () => number, onChange: (lane: LaneId, former: string) => void = () => {}): Writers {
  const known = new Map<LaneId, { term: number; writer: string; heardAt: number }>();
  return {
    of(lane) {
      const writer = known.get(lane);
      return writer !== undefined && now() - writer.heardAt < silentAfterMs ? writer.writer : undefined;
    },
    termOf: (lane) => known.get(lane)?.term ?? 0,
    heard({ lane, term, writer }) {
      const former = known.get(lane);
      if (former !== undefined && term < former.term) return;
      known.set(lane, { term, writer, heardAt: now() });
      if (former !== undefined && former.writer !== writer) onChange(lane, former.writer);
    },
  };
}
