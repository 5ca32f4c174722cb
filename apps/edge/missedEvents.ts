import type { EdgeLanes } from "./edgeLanes.ts";
import { bodiesOf, type EventsBody, textSeenFrom } from "./roomFrame.ts";
import { eventsBetween, type ReadRows } from "./roomHistory.ts";

/** What somebody missed of a room. */
export interface Missed {
  readonly room: string;
  readonly epoch: string;
  readonly fromS: number;
  /** The room's last event, as of which all are wanted. */
  readonly head: number;
  /** Where the history of who missed them begins. */
  readonly from: number;
}

/** The events `fromS` … `head` as bytes to send. Throws as `eventsBetween`. */
export type ReadMissed = (missed: Missed) => Promise<readonly EventsBody[]>;

/**
 * Those who come back after the same break missed the same: what one of them is sent is kept a moment for the others. That is right as long as the
 * room's head is the same: whatever changes an event, as its deletion, has a number of its own.
 */
export function missedEvents(lanes: Pick<EdgeLanes, "ofRoom">, readRows: ReadRows): ReadMissed {
  const kept = new Map<string, Promise<readonly EventsBody[]>>();

  async function read({ room, fromS, head, from }: Missed): Promise<readonly EventsBody[]> {
    const events = await eventsBetween(lanes.ofRoom(room), readRows, { room, fromS, toS: head });
    return [...bodiesOf(events.map((event) => textSeenFrom(event, from)))];
  }

  return (missed) => {
    const key = JSON.stringify(missed);
    const known = kept.get(key);
    if (known !== undefined) return known;
    const reading = read(missed);
    if (kept.size === maxKept) return reading;
    kept.set(key, reading);
    const forget = () => kept.delete(key);
    reading.then((bodies) => {
      const isSmall = bodies.reduce((sum, { body }) => sum + body.byteLength, 0) <= maxKeptBytes;
      if (isSmall) setTimeout(forget, keepMs).unref();
      else forget();
    }, forget);
    return reading;
  };
}

/** How long what one was sent is kept for others … */
const keepMs = 1_000;
/** … how many such parts at a time, … */
const maxKept = 100;
/** … and none that is larger. */
const maxKeptBytes = 256 * 1024;
