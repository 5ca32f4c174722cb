import type { Beat } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";

/** Who writes each lane at present, as far as was heard. */
export interface Writers {
  /** The writer to send commands to; undefined when none was heard of for a while. */
  of(lane: LaneId): string | undefined;
  /** The highest term heard of; what a lower one says does not count any more. */
  termOf(lane: LaneId): number;
  /** The writer, once it is another than `former`; undefined when that takes longer than `ms`. Who asked first hears of it first. */
  after(lane: LaneId, former: string, ms: number): Promise<string | undefined>;
  heard(of: Pick<Beat, "lane" | "term" | "writer">): void;
}

/** Three beats and a half. */
const silentAfterMs = 3_500;

/**
 * `now`: a clock in milliseconds that never goes back. `onChange` hears of each writer that another one took over from, after those who
 * wait for that.
 */
export function writers(now: () => number, onChange: (lane: LaneId, former: string) => void = () => {}): Writers {
  const known = new Map<LaneId, { term: number; writer: string; heardAt: number }>();
  const waiting = new Set<{ readonly lane: LaneId; readonly heard: (writer: string) => void }>();

  function of(lane: LaneId): string | undefined {
    const writer = known.get(lane);
    return writer !== undefined && now() - writer.heardAt < silentAfterMs ? writer.writer : undefined;
  }

  return {
    of,
    termOf: (lane) => known.get(lane)?.term ?? 0,
    after(lane, former, ms) {
      const present = of(lane);
      if (present !== undefined && present !== former) return Promise.resolve(present);
      return new Promise((resolve) => {
        const end = (writer?: string): void => {
          clearTimeout(timer);
          waiting.delete(one);
          resolve(writer);
        };
        const timer = setTimeout(end, ms);
        const one = { lane, heard: (writer: string) => writer !== former && end(writer) };
        waiting.add(one);
      });
    },
    heard({ lane, term, writer }) {
      const former = known.get(lane);
      if (former !== undefined && term < former.term) return;
      known.set(lane, { term, writer, heardAt: now() });
      if (former === undefined || former.writer === writer) return;
      for (const one of [...waiting]) if (one.lane === lane) one.heard(writer);
      onChange(lane, former.writer);
    },
  };
}
