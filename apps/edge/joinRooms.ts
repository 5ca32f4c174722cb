import { SubjectParked } from "@connect-hub/domain/kernel";
import { limits } from "@connect-hub/domain/values";
import type { Cursor, RoomState } from "@connect-hub/protocol";
import type { Connection } from "./connection.ts";
import type { EdgeLanes } from "./edgeLanes.ts";
import type { ReadMissed } from "./missedEvents.ts";
import { Refused } from "./refusals.ts";
import type { Reader } from "./roomFeed.ts";
import type { RoomFeeds } from "./roomFeeds.ts";
import { statesIn } from "./roomStates.ts";

/** What a socket needs to come into rooms. */
export interface JoinSources {
  readonly lanes: EdgeLanes;
  readonly feeds: RoomFeeds;
  readonly readMissed: ReadMissed;
  /** Told how each resume of a room ended. */
  readonly onResumed?: (outcome: Resumed[0]) => void;
}

/** What became of a room that a client wants to go on with. */
export type Resumed = readonly ["ok" | "reset" | "parked", epoch: string, s: number];

const reachTimeoutMs = 3_000;

/** The user came into a room: tells the socket and lets the room run live. Does nothing where it runs already. */
export function announceRoom(connection: Connection, room: string, sources: JoinSources): Promise<void> {
  return inTurn(connection, room, async () => {
    if (!connection.isOpen || connection.readers.get(room) !== undefined) return;
    const held = await heldRoom(connection, room, sources);
    // Who asks for the rooms is told which of them are parked.
    if (held === undefined || held === "parked") return;
    connection.tell({ room: held.state });
    releaseRoom(connection, held, sources);
  });
}

/** Goes on with a room from where the client has it, and says how that ended. */
export function resumeRoom(connection: Connection, room: string, cursor: Cursor, sources: JoinSources): Promise<void> {
  return inTurn(connection, room, async () => {
    await sources.lanes.fresh([sources.lanes.ofRoom(room)]);
    if (!connection.isOpen) return;
    // It may have been told meanwhile that its user left, who is back again.
    const wasIn = connection.readers.get(room) !== undefined;
    const held = await heldRoom(connection, room, sources);
    if (held === undefined) connection.tell({ left: { r: room } });
    else if (held === "parked") {
      sources.onResumed?.("parked");
      connection.tell({ resumed: { [room]: ["parked", ...cursor] satisfies Resumed } });
    } else {
      if (!wasIn) connection.tell({ room: held.state });
      await finishResume(connection, held, cursor, sources);
    }
  });
}

/** A room that is held for a socket, and how its user sees it as of a commit since then. */
export interface HeldRoom {
  readonly reader: Reader;
  readonly state: RoomState;
}

/**
 * Sends what is missing of a held room, says so and releases it: after a reset what follows belongs to the new beginning. Where the socket
 * falls behind meanwhile, it says how far it came, and the client is to resume again.
 */
export async function finishResume(
  connection: Connection,
  held: HeldRoom,
  cursor: Cursor,
  sources: JoinSources,
): Promise<void> {
  const resumed = await sendMissed(connection, held.state, cursor, sources);
  sources.onResumed?.(resumed[0]);
  connection.tell({ resumed: { [held.state.id]: resumed } });
  releaseRoom(connection, held, sources);
}

/** From now on keeps what is published in the room for the socket. */
export function holdRoom(connection: Connection, room: string, { feeds }: JoinSources): Reader {
  const before = connection.readers.get(room);
  // What was kept for a membership that is over is of no use.
  if (before?.phase === "gone") feeds.drop(before);
  const reader = feeds.hold(connection, room, before);
  connection.readers.put(reader);
  return reader;
}

/** Lets a held room run live after `state.s`. */
export function releaseRoom(connection: Connection, { reader, state }: HeldRoom, { feeds }: JoinSources): void {
  feeds.release(reader, state.s, state.from);
  if (connection.readers.get(state.id) === reader) reader.headTold = state.s;
}

/** Whether the reader was cut by the end of a membership that is not the one in `state`: then the room has to be held anew. */
export function isOfFormerMembership({ reader, state }: HeldRoom): boolean {
  return reader.goneAt !== undefined && reader.goneAt <= state.s;
}

/** Takes the socket out of a room that its user is not in. */
export function dropRoom(connection: Connection, reader: Reader, { feeds }: JoinSources): void {
  feeds.drop(reader);
  connection.readers.remove(reader);
}

/**
 * Waits until the follower has everything that was published in the room before it was held; false when the room is parked. Throws
 * `Refused`.
 */
export async function canBeReached(reader: Reader, { lanes }: JoinSources): Promise<boolean> {
  try {
    const n = await reader.since;
    if (!(await lanes.ofRoom(reader.room).reached(n, reachTimeoutMs))) throw new Refused("Unavailable");
    return true;
  } catch (error) {
    if (error instanceof SubjectParked) return false;
    throw error;
  }
}

/** Holds the room; undefined, and dropped, if the user is not in it; dropped too if it is parked. */
async function heldRoom(
  connection: Connection,
  room: string,
  sources: JoinSources,
): Promise<HeldRoom | "parked" | undefined> {
  for (;;) {
    const reader = holdRoom(connection, room, sources);
    if (!(await canBeReached(reader, sources))) {
      dropRoom(connection, reader, sources);
      return "parked";
    }
    const { states, parked } = await statesIn([room], connection.user, sources.lanes);
    const [state] = states;
    if (state === undefined) {
      dropRoom(connection, reader, sources);
      return parked.length > 0 ? "parked" : undefined;
    }
    if (!isOfFormerMembership({ reader, state })) return { reader, state };
  }
}

async function sendMissed(
  connection: Connection,
  { id: room, epoch, s, from }: RoomState,
  [cursorEpoch, cursorS]: Cursor,
  { readMissed }: JoinSources,
): Promise<Resumed> {
  const isOurs = cursorEpoch === epoch && cursorS <= s && cursorS >= from - 1;
  if (!isOurs || s - cursorS > limits.resumeEvents) return ["reset", epoch, s];
  let sentS = cursorS;
  for (const { body, lastS } of await readMissed({ room, epoch, fromS: cursorS + 1, head: s, from })) {
    await connection.calm();
    // After what was dropped nothing more: it would come after a hole, and once more.
    if (!connection.sendEvents(body)) return ["ok", epoch, sentS];
    sentS = lastS;
  }
  return ["ok", epoch, s];
}

/** One thing at a time in each room of a socket, in order; what fails ends the socket, so that there is never a silent hole. */
export function inTurn(connection: Connection, room: string, work: () => Promise<void>): Promise<void> {
  const before = connection.underWay.get(room) ?? connection.whenReady;
  const turn: Promise<void> = before.then(work).catch((error) => connection.fail(error));
  connection.underWay.set(room, turn);
  return turn.finally(() => {
    if (connection.underWay.get(room) === turn) connection.underWay.delete(room);
  });
}
