import {
  type ClientEvent,
  clientEventOf,
  type EventText,
  eventText,
  FactsUnavailable,
  type Lane,
  type LaneFollower,
  type TailEvent,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";

/**
 * Reads events of a room from the read tables: those with `fromS` ≤ s ≤ `toS` that are there, ascending. Throws
 * `FactsUnavailable`, also when the tables are of another epoch of the room's lane than `lane` has.
 */
export type ReadRows = (room: string, fromS: number, toS: number, lane: Lane) => Promise<readonly EventText[]>;

const attempts = 3;

/**
 * The events `fromS` … `toS` of a room, without holes: rows up to the projector's checkpoint, then the lane's tail. All of
 * them must be in commits that the follower has. Throws `FactsUnavailable`.
 */
export async function eventsBetween(
  follower: LaneFollower,
  readRows: ReadRows,
  { room, fromS, toS }: { readonly room: string; readonly fromS: number; readonly toS: number },
): Promise<readonly EventText[]> {
  if (fromS > toS) return [];
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const found = new Map<number, EventText>();
    // The tail as it was before the rows were read: what left it since is in the rows.
    const tail = follower.roomTail(room, follower.view.floor) ?? [];
    for (const { event, at } of tail) {
      const { s = 0 } = event;
      const shown = s >= fromS && s <= toS ? clientEventOf(event, at, roomModel) : undefined;
      if (shown !== undefined) found.set(s, eventText(shown));
    }
    // Not all events of a room are numbered.
    const firstInTail = tail.find(({ event }) => event.s !== undefined)?.event.s ?? Number.POSITIVE_INFINITY;
    const rowsTo = Math.min(toS, firstInTail - 1);
    const rows = rowsTo >= fromS ? await readRows(room, fromS, rowsTo, follower.lane) : [];
    for (const event of rows) found.set(event.s, event);
    blank(found, tail, follower);
    if (found.size === toS - fromS + 1) return [...found.values()].sort((a, b) => a.s - b.s);
  }
  throw new FactsUnavailable(`the history of a room has a hole between ${fromS} and ${toS}`);
}

/** What later events of the tail do to earlier ones: a deletion blanks the text, as it will in the tables. */
function blank(found: Map<number, EventText>, tail: readonly TailEvent[], { lane }: LaneFollower): void {
  for (const { event, n, at } of tail) {
    const changes = roomModel.events[event.type]?.changes(event, { lane: lane.id, n, at }) ?? [];
    for (const change of changes) {
      if (change.op !== "set" || change.table !== "room_events") continue;
      const earlier = found.get(Number(change.key[1]));
      if (earlier === undefined) continue;
      const event: ClientEvent = JSON.parse(earlier.text);
      found.set(event.s, eventText({ ...event, d: change.values.data ?? null }));
    }
  }
}
