/** Which rooms' live frames this edge receives. */
export interface RoomInterest {
  /** From now on the room's frames come. */
  enter(room: string): void;
  /** Nobody needs them now. */
  leave(room: string): void;
  /** Ends what nobody has needed for as long as it lingers. To be called now and then. */
  sweep(): void;
  close(): void;
}

/** A subscription. */
interface Interest {
  unsubscribe(): void;
}

export interface RoomInterestOptions {
  /** Subscribes to the frames of a room, or of all rooms. */
  subscribe(room: string | "all"): Interest;
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
  /** How many rooms are subscribed to one by one; 5,000 if left out. */
  readonly maxRooms?: number;
}

/** Who comes back so soon finds the room still subscribed. */
export const lingerMs = 10_000;
const defaultMaxRooms = 5_000;

/**
 * One subscription for each room that somebody here reads, or has read just now; beyond `maxRooms` one for all rooms instead, until
 * they are half as many again. What comes twice at a change, or is lost, the feeds find by the events' numbers.
 */
export function roomInterest({ subscribe, now, maxRooms = defaultMaxRooms }: RoomInterestOptions): RoomInterest {
  /** The subscription of each room; undefined while one serves all. */
  const rooms = new Map<string, Interest | undefined>();
  /** Since when nobody needs a room. */
  const left = new Map<string, number>();
  let all: Interest | undefined;

  function oneForAll(): void {
    all = subscribe("all");
    for (const [room, one] of rooms) {
      one?.unsubscribe();
      rooms.set(room, undefined);
    }
  }

  function oneForEach(): void {
    for (const room of rooms.keys()) rooms.set(room, subscribe(room));
    all?.unsubscribe();
    all = undefined;
  }

  return {
    enter(room) {
      left.delete(room);
      if (!rooms.has(room)) {
        rooms.set(room, all === undefined ? subscribe(room) : undefined);
        if (all === undefined && rooms.size > maxRooms) oneForAll();
      }
    },
    leave: (room) => void left.set(room, now()),
    sweep() {
      for (const [room, since] of left) {
        // In the order in which they were left.
        if (now() - since < lingerMs) break;
        rooms.get(room)?.unsubscribe();
        rooms.delete(room);
        left.delete(room);
      }
      if (all !== undefined && rooms.size <= maxRooms / 2) oneForEach();
    },
    close() {
      all?.unsubscribe();
      for (const one of rooms.values()) one?.unsubscribe();
    },
  };
}
