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
  return new Sequence(s);
}

const none: never[] = [];

/** There are thousands of these, of which most have nothing to do: a class takes a third of what closures do. */
class Sequence implements RoomSequence {
  lastS: number;
  lastN = 0;
  #log: { readonly event: ClientEvent; readonly n: number }[] = none;
  #ahead: RoomFrame[] = none;

  constructor(s: number) {
    this.lastS = s;
  }

  live(frame: RoomFrame): readonly RoomFrame[] {
    if (frame.lastS <= this.lastS || this.#ahead.length >= maxAhead) return none;
    this.#ahead = [...this.#ahead, frame].sort((a, b) => a.firstS - b.firstS);
    return this.#advance(false);
  }

  logged(event: ClientEvent, n: number): readonly RoomFrame[] {
    if (event.s <= this.lastS) return none;
    if (this.#log === none) this.#log = [];
    this.#log.push({ event, n });
    return this.#advance(false);
  }

  fill(): readonly RoomFrame[] {
    return this.#advance(true);
  }

  #advance(fill: boolean): RoomFrame[] {
    const out: RoomFrame[] = [];
    for (;;) {
      this.#ahead = kept(this.#ahead, (frame) => frame.lastS > this.lastS);
      const frame = this.#nextFrame(fill);
      if (frame === undefined) break;
      out.push(frame);
      this.lastS = frame.lastS;
      this.lastN = Math.max(this.lastN, frame.n);
    }
    if (out.length > 0) this.#log = kept(this.#log, ({ event }) => event.s > this.lastS);
    return out;
  }

  #nextFrame(fill: boolean): RoomFrame | undefined {
    const waiting = this.#ahead[0];
    if (waiting === undefined) return fill ? this.#nextFromLog(Number.POSITIVE_INFINITY) : undefined;
    if (waiting.firstS > this.lastS + 1) return this.#nextFromLog(waiting.firstS - 1);
    this.#ahead.shift();
    return frameAfter(waiting, this.lastS);
  }

  /** The next frame from the log: events up to `toS`, ending after one that changes a membership. */
  #nextFromLog(toS: number): RoomFrame | undefined {
    const run: ClientEvent[] = [];
    let n = 0;
    for (const entry of this.#log) {
      if (entry.event.s <= this.lastS) continue;
      if (run.length === maxRun || entry.event.s !== this.lastS + 1 + run.length || entry.event.s > toS) break;
      run.push(entry.event);
      n = entry.n;
      if (changesMembership(entry.event)) break;
    }
    return run.length === 0 ? undefined : frameOf(run, n);
  }
}

function kept<T>(items: T[], isKept: (item: T) => boolean): T[] {
  if (items.length === 0) return none;
  const rest = items.filter(isKept);
  return rest.length === 0 ? none : rest;
}
