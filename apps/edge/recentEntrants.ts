/** Who came into which room lately, while the read tables may not show it yet. */
export interface RecentEntrants {
  entered(user: string, room: string, n: number): void;
  roomsOf(user: string): readonly string[];
  usersOf(room: string): readonly string[];
  /** Forgets what the tables have had for a while: commits up to the floor of the room's lane that were seen a minute ago. */
  prune(floorOf: (room: string) => number): void;
}

/** Longer than any query of the tables takes. */
const keepMs = 60_000;

export function recentEntrants(now: () => number): RecentEntrants {
  const byUser = new Map<string, Set<string>>();
  const byRoom = new Map<string, Set<string>>();
  let entries: { user: string; room: string; n: number; seenAt: number }[] = [];

  function rebuild(): void {
    byUser.clear();
    byRoom.clear();
    for (const { user, room } of entries) index(user, room);
  }

  function index(user: string, room: string): void {
    byUser.set(user, (byUser.get(user) ?? new Set()).add(room));
    byRoom.set(room, (byRoom.get(room) ?? new Set()).add(user));
  }

  return {
    entered(user, room, n) {
      entries.push({ user, room, n, seenAt: now() });
      index(user, room);
    },
    roomsOf: (user) => [...(byUser.get(user) ?? [])],
    usersOf: (room) => [...(byRoom.get(room) ?? [])],
    prune(floorOf) {
      const seenBefore = now() - keepMs;
      const kept = entries.filter(({ room, n, seenAt }) => seenAt > seenBefore || n > floorOf(room));
      if (kept.length === entries.length) return;
      entries = kept;
      rebuild();
    },
  };
}
