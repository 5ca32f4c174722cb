import { epoch8, type FactRef, factRef, type LaneFollower, type Row, SubjectParked } from "@connect-hub/domain/kernel";
import type { Role, RoomType } from "@connect-hub/domain/values";
import type { RoomState } from "@connect-hub/protocol";
import { type EdgeLanes, knowFacts, knowFactsOf, rowAt } from "./edgeLanes.ts";
import type { RecentEntrants } from "./recentEntrants.ts";
import { Refused } from "./refusals.ts";

/** What the rooms of a person are read from. */
export interface RoomSources {
  readonly lanes: EdgeLanes;
  readonly recent: RecentEntrants;
  /** The rooms of a person, as the read tables have them. Throws `FactsUnavailable`. */
  roomIdsOf(user: string): Promise<readonly string[]>;
}

/** Every room that the person may be in, and maybe some that they left. Throws `FactsUnavailable`. */
export async function candidateRooms(user: string, { recent, roomIdsOf }: RoomSources): Promise<readonly string[]> {
  // Before and after: what leaves the one meanwhile is in the other.
  const before = recent.roomsOf(user);
  return [...new Set([...before, ...(await roomIdsOf(user)), ...recent.roomsOf(user)])];
}

/** Rooms as one person sees them. */
export interface RoomsSeen {
  /** Those that the person is in. */
  readonly states: readonly RoomState[];
  /** Those that are parked, so that nobody can tell. */
  readonly parked: readonly string[];
}

/** These rooms as the person sees them, as of the followers' heads. Throws as `knowFactsOf`. */
export async function statesIn(ids: readonly string[], user: string, lanes: EdgeLanes): Promise<RoomsSeen> {
  const wanted = new Map<LaneFollower, FactRef[]>();
  for (const id of ids) {
    const follower = lanes.ofRoom(id);
    const refs = wanted.get(follower) ?? [];
    refs.push(...refsOf(id, user));
    wanted.set(follower, refs);
  }
  await knowFactsOf(wanted);
  setTimeout(() => forgetMemberships(wanted), keepMembershipsMs).unref();
  const states: RoomState[] = [];
  const parked: string[] = [];
  for (const id of ids) {
    try {
      const state = stateAt(lanes.ofRoom(id), id, user);
      if (state !== undefined) states.push(state);
    } catch (error) {
      if (!(error instanceof SubjectParked)) throw error;
      parked.push(id);
    }
  }
  return { states, parked };
}

/**
 * A person who comes asks for all their memberships, and then for those of the rooms that they look at. When many come, theirs would be more than
 * all other rows by far.
 */
function forgetMemberships(wanted: ReadonlyMap<LaneFollower, readonly FactRef[]>): void {
  for (const [{ view }, refs] of wanted) view.forget(refs.filter((ref) => ref.startsWith(membershipPrefix)));
}

/** The version of the set of a person's rooms. Throws as `knowFactsOf`. */
export async function roomSetVersion(user: string, lanes: EdgeLanes): Promise<number> {
  const versions = lanes.rooms.map((follower) => ({ follower, ref: versionRef(user, follower) }));
  await knowFactsOf(new Map(versions.map(({ follower, ref }) => [follower, [ref]])));
  return versions.reduce((total, { follower, ref }) => total + Number(rowAt(follower.view, ref)?.version ?? 0), 0);
}

/** The room as its member sees it, as of the follower's head. Throws `Refused` (`RoomNotFound`), `SubjectParked` and as `knowFactsOf`. */
export async function roomState(lanes: EdgeLanes, room: string, user: string): Promise<RoomState> {
  const follower = lanes.ofRoom(room);
  await knowFacts(follower, refsOf(room, user));
  const state = stateAt(follower, room, user);
  if (state === undefined) throw new Refused("RoomNotFound");
  return state;
}

/** Needs the facts to be known. Throws `SubjectParked`. Undefined when the person is not in the room. */
function stateAt(follower: LaneFollower, id: string, user: string): RoomState | undefined {
  const [room, membership] = refsOf(id, user).map((ref) => rowAt(follower.view, ref));
  return room && membership ? stateOf(follower, room, membership) : undefined;
}

function stateOf(follower: LaneFollower, room: Row, membership: Row): RoomState {
  return {
    id: String(room.id),
    name: room.name === null ? null : String(room.name),
    type: room.type as RoomType,
    s: Number(room.s),
    from: Number(membership.joined_s),
    epoch: epoch8(follower.lane.epoch),
    role: membership.role as Role,
    members: Number(room.members),
  };
}

/** How long those who came may look at rooms without their memberships being read anew. */
const keepMembershipsMs = 2_000;
const membershipPrefix = factRef("memberships", "");
const refsOf = (room: string, user: string): FactRef[] => [factRef("rooms", room), factRef("memberships", room, user)];
const versionRef = (user: string, follower: LaneFollower): FactRef => factRef("user_rooms", user, follower.lane.id);
