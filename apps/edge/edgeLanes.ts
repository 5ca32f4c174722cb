import {
  epoch8,
  type FactRef,
  FactsUnavailable,
  type FactView,
  type LaneFollower,
  LogUnavailable,
  laneOf,
  type Row,
} from "@connect-hub/domain/kernel";
import { decodePosition, encodePosition, type LaneId, type Position, positionAt } from "@connect-hub/domain/values";
import { latestRead } from "./latestRead.ts";
import type { Lease } from "./lease.ts";
import { type LogClock, logClock } from "./logClock.ts";
import { Refused } from "./refusals.ts";

/** The lanes as this edge follows them. */
export interface EdgeLanes {
  readonly accounts: LaneFollower;
  readonly rooms: readonly LaneFollower[];
  readonly content: LaneFollower;
  readonly all: readonly LaneFollower[];
  /** Whether what the followers say of sessions counts. */
  readonly lease: Lease;
  /** What time it is for the writers; looked at with each renewal of the lease. */
  readonly clock: LogClock;
  ofRoom(room: string): LaneFollower;
  /** Waits until these followers are where their lanes are now, by the leader. Throws `LogUnavailable`. */
  fresh(followers: readonly LaneFollower[]): Promise<void>;
  /**
   * Throws `Refused` (`BadPosition`) unless `token` names positions of these lanes in their present epochs, `LogUnavailable` when
   * it is ahead of a follower and the leader can't be asked whether there is such a commit.
   */
  checkToken(token: string): Promise<void>;
  /** Waits until the followers have what `token` names. Throws as `checkToken` and `Refused` (`NotCaughtUp`). */
  waitFor(token: string | undefined, timeoutMs?: number): Promise<void>;
  /** The token of where these followers are. */
  position(followers: readonly LaneFollower[]): string;
}

const freshTimeoutMs = 3_000;
const positionTimeoutMs = 2_000;
/** How long a follower may prove by itself, before the leader does, that a commit exists. */
const proofTimeoutMs = 500;

/** A commit of a lane that a token names. */
interface Named {
  readonly follower: LaneFollower;
  readonly n: number;
}

export function edgeLanes(
  accounts: LaneFollower,
  rooms: readonly LaneFollower[],
  content: LaneFollower,
  lease: Lease,
): EdgeLanes {
  const all = [accounts, ...rooms, content];
  const byId = new Map<string, LaneFollower>(all.map((follower) => [follower.lane.id, follower]));
  const heads = new Map(all.map((follower) => [follower, latestRead(() => follower.lane.lastNumber())]));

  async function freshOne(follower: LaneFollower): Promise<void> {
    const head = await heads.get(follower)?.();
    if (head === undefined || !(await follower.reached(head, freshTimeoutMs)))
      throw new LogUnavailable(`this edge is behind ${follower.lane.id}`);
  }

  async function checked(token: string): Promise<readonly Named[]> {
    const wanted = named(token);
    await Promise.all(wanted.map(checkExists));
    return wanted;
  }

  async function checkExists({ follower, n }: Named): Promise<void> {
    if (follower.view.head >= n) return;
    const head = heads.get(follower)?.() ?? Promise.resolve(0);
    // Whichever is first, so that what comes after this and finds the follower there does not overtake it.
    const reached = follower.reached(n, proofTimeoutMs).then((isThere) => (isThere ? n : head));
    if ((await Promise.race([head, reached])) < n) throw new Refused("BadPosition", follower.lane.id);
  }

  function named(token: string): readonly Named[] {
    const position = decodePosition(token);
    if (position === undefined) throw new Refused("BadPosition");
    return Object.entries(position).map(([lane, [epoch, n] = ["", 0]]) => {
      const follower = byId.get(lane);
      if (follower === undefined || epoch8(follower.lane.epoch) !== epoch) throw new Refused("BadPosition", lane);
      return { follower, n };
    });
  }

  return {
    accounts,
    rooms,
    content,
    all,
    lease,
    clock: logClock(() => accounts.lane.time()),
    ofRoom(room) {
      const follower = byId.get(laneOf("rooms", room, rooms.length));
      if (follower === undefined) throw new Error("every room has a lane");
      return follower;
    },
    fresh: async (followers) => void (await Promise.all(followers.map(freshOne))),
    checkToken: async (token) => void (await checked(token)),
    async waitFor(token, timeoutMs = positionTimeoutMs) {
      const wanted = token === undefined ? [] : await checked(token);
      const reached = await Promise.all(wanted.map(({ follower, n }) => follower.reached(n, timeoutMs)));
      if (reached.includes(false)) throw new Refused("NotCaughtUp");
    },
    position: (followers) =>
      encodePosition(followers.reduce<Position>((sum, { lane, view }) => Object.assign(sum, at(lane, view.head)), {})),
  };
}

function at(lane: { readonly id: LaneId; readonly epoch: string }, n: number): Position {
  return positionAt(lane.id, epoch8(lane.epoch), n);
}

/** As `knowFactsOf`, of one lane. */
export function knowFacts(follower: LaneFollower, refs: readonly FactRef[]): Promise<void> {
  return knowFactsOf(new Map([[follower, refs]]));
}

/**
 * Makes these rows known to their views, all as of the view's head, so that they can be had in one tick. Throws
 * `FactsUnavailable` and `Refused` (`NotCaughtUp`).
 */
export async function knowFactsOf(wanted: ReadonlyMap<LaneFollower, readonly FactRef[]>): Promise<void> {
  const giveUpAt = performance.now() + positionTimeoutMs;
  do {
    await Promise.all([...wanted].map(([follower, refs]) => knowThose(follower, refs, giveUpAt)));
    // While one was waited for, another may have loaded rows from tables that are ahead of it, or forgotten rows.
  } while ([...wanted.keys()].some(isBehindTables) || (performance.now() < giveUpAt && !knowAll(wanted)));
}

function knowAll(wanted: ReadonlyMap<LaneFollower, readonly FactRef[]>): boolean {
  return [...wanted].every(([{ view }, refs]) => refs.every((ref) => view.knows(ref)));
}

async function knowThose(follower: LaneFollower, refs: readonly FactRef[], giveUpAt: number): Promise<void> {
  const { view } = follower;
  const unknown = refs.filter((ref) => !view.knows(ref));
  if (unknown.length > 0) await view.load(unknown);
  if (!isBehindTables(follower)) return;
  if (!(await follower.reached(view.floor, Math.max(0, giveUpAt - performance.now()))))
    throw new Refused("NotCaughtUp");
}

/** Rows that were loaded are then ahead of the head, and of those that were known before. */
function isBehindTables({ view }: LaneFollower): boolean {
  return view.head < view.floor;
}

/** The row as of the view's head, null when it is absent. Throws `SubjectParked`, and `FactsUnavailable` when `knowFacts` was not told of it. */
export function rowAt(view: FactView, ref: FactRef): Row | null {
  const row = view.get(ref);
  if (row === undefined) throw new FactsUnavailable(`${ref.slice(0, ref.indexOf("/"))} rows were evicted meanwhile`);
  return row;
}
