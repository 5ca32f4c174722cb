import { type ClientEvent, clientEventOf, FactsUnavailable, type LaneFollower } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";

/** Reads events of a room from the read tables: those with `fromS` ≤ s ≤ `toS` that are there, ascending. */
export type ReadRows = (room: string, fromS: number, toS: number) => Promise<readonly ClientEvent[]>;

const attempts = 3;

/**
 * The events `fromS` … `toS` of a room, without holes: rows up to the projector's checkpoint, then the lane's tail. All of
 * them must be in commits that the follower has. Throws `FactsUnavailable`.
 */
export async function eventsBetween(
  follower: LaneFollower,
  readRows: ReadRows,
  { room, fromS, toS }: { readonly room: string; readonly fromS: number; readonly toS: number },
): Promise<readonly ClientEvent[]> {
  if (fromS > toS) return [];
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const found = new Map<number, ClientEvent>();
    const add = (events: readonly ClientEvent[]) => {
      for (const event of events) if (event.s >= fromS && event.s <= toS) found.set(event.s, event);
    };
    // The tail as it was before the rows were read: what left it since is in the rows.
    const tail = tailOf(follower, room);
    add(tail);
    const rowsTo = Math.min(toS, (tail[0]?.s ?? Number.POSITIVE_INFINITY) - 1);
    // Rows last: a text that was deleted is blank in them already.
    if (rowsTo >= fromS) add(await readRows(room, fromS, rowsTo));
    if (found.size === toS - fromS + 1) return [...found.values()].sort((a, b) => a.s - b.s);
  }
  throw new FactsUnavailable(`the history of a room has a hole between ${fromS} and ${toS}`);
}

function tailOf(follower: LaneFollower, room: string): readonly ClientEvent[] {
  const tail = follower.roomTail(room, follower.view.floor) ?? [];
  return tail.flatMap(({ event, at }) => clientEventOf(event, at, roomModel) ?? []);
}
