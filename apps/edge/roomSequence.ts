import type { ClientEvent } from "@connect-hub/domain/kernel";
import { changesMembership, frameAfter, frameOf, type RoomFrame } from "./roomFrame.ts";

/**
 * The events of one room in their one order, from two sources: live frames, which are fast and may be lost, and the log, which
 * has everything a little later. What comes out follows on without holes and without repetitions.
 */
export interface RoomSequence {
  /** The last event that came out. */
  readonly lastS: number;
  /** The commit of that event, 0 while nothing has come out. */
  readonly lastN: number;
  /** A live frame; returns what may go out now. */
  live(frame: RoomFrame): readonly RoomFrame[];
  /** An event as the log has it, in order; returns what waited for it. */
  logged(event: ClientEvent, n: number): readonly RoomFrame[];
  /** Everything that the log has and no live frame has brought. */
  fill(): readonly RoomFrame[];
}

/** Live frames that wait for a gap before them to be filled; beyond that the log alone will do. */
const maxAhead = 1_000;
/** Events from the log that go out as one frame. */
const maxRun = 100;

/** The sequence after event `s`. */
export function roomSequence(s: number): RoomSequence {
  let lastS = s;
  let lastN = 0;
  let log: { event: ClientEvent; n: number }[] = [];
  let ahead: RoomFrame[] = [];

  /** The next frame from the log: events up to `toS`, ending after one that changes a membership. */
  function nextFromLog(toS: number): RoomFrame | undefined {
    const run: ClientEvent[] = [];
    let n = 0;
    for (const entry of log) {
      if (entry.event.s <= lastS) continue;
      if (run.length === maxRun || entry.event.s !== lastS + 1 + run.length || entry.event.s > toS) break;
      run.push(entry.event);
      n = entry.n;
      if (changesMembership(entry.event)) break;
    }
    return run.length === 0 ? undefined : frameOf(run, n);
  }

  function nextFrame(fill: boolean): RoomFrame | undefined {
    const waiting = ahead[0];
    if (waiting === undefined) return fill ? nextFromLog(Number.POSITIVE_INFINITY) : undefined;
    if (waiting.firstS > lastS + 1) return nextFromLog(waiting.firstS - 1);
    ahead.shift();
    return frameAfter(waiting, lastS);
  }

  function advance(fill: boolean): RoomFrame[] {
    const out: RoomFrame[] = [];
    for (;;) {
      ahead = ahead.filter((frame) => frame.lastS > lastS);
      const frame = nextFrame(fill);
      if (frame === undefined) break;
      out.push(frame);
      lastS = frame.lastS;
      lastN = Math.max(lastN, frame.n);
    }
    if (out.length > 0) log = log.filter(({ event }) => event.s > lastS);
    return out;
  }

  return {
    get lastS() {
      return lastS;
    },
    get lastN() {
      return lastN;
    },
    live(frame) {
      if (frame.lastS <= lastS || ahead.length >= maxAhead) return [];
      ahead.push(frame);
      ahead.sort((a, b) => a.firstS - b.firstS);
      return advance(false);
    },
    logged(event, n) {
      if (event.s <= lastS) return [];
      log.push({ event, n });
      return advance(false);
    },
    fill: () => advance(true),
  };
}
