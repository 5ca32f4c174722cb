import { type AuthFrame, type Cursor, type RoomState, readCursors } from "@connect-hub/protocol";
import type { Connection } from "./connection.ts";
import { dropRoom, finishResume, holdRoom, inTurn, type JoinSources, reachHeld, releaseRoom } from "./joinRooms.ts";
import { Refused } from "./refusals.ts";
import { candidateRooms, type RoomSources, roomSetVersion, statesIn } from "./roomStates.ts";
import { sessionHolds, whoHas } from "./sessions.ts";
import type { Sockets } from "./sockets.ts";

/**
 * Checks the token, puts the socket into the user's rooms, sends `ready` and what the client missed. Throws `Refused` and what the
 * sources throw; then the socket has to be ended.
 */
export async function signIn(
  connection: Connection,
  { auth }: AuthFrame,
  sources: JoinSources & RoomSources & { readonly sockets: Sockets },
): Promise<void> {
  const { lanes, sockets } = sources;
  connection.signingIn();
  const read = readCursors(auth.resume ?? {});
  if ("error" in read) throw new Refused(read.error, read.detail);
  const who = await whoHas(auth.token, lanes);
  if (!connection.isOpen) return;
  connection.who = who;
  // From here on it is ended when its session is; before that, look once more.
  sockets.add(connection);
  if (!sessionHolds(who, lanes)) throw new Refused("SessionEnded");
  await lanes.fresh(lanes.rooms);
  const rooms = await heldRooms(connection, sources);
  connection.version = await roomSetVersion(who.user, lanes);
  if (!connection.isOpen) return;
  const { version } = connection;
  const position = lanes.position(lanes.all);
  connection.signedIn();
  connection.tell({ ready: { user: { id: who.user, name: who.name }, rooms, version, position } });
  await goOn(connection, rooms, read.cursors, sources);
}

/** Holds all rooms of the user, then reads their states, which are not before anything published earlier. */
async function heldRooms(connection: Connection, sources: JoinSources & RoomSources): Promise<readonly RoomState[]> {
  const ids = await candidateRooms(connection.user, sources);
  if (!connection.isOpen) return [];
  const readers = ids.map((id) => holdRoom(connection, id, sources));
  await Promise.all(readers.map((reader) => reachHeld(reader, sources)));
  const states = await statesIn(ids, connection.user, sources.lanes);
  const present = new Set(states.map(({ id }) => id));
  for (const reader of readers) if (!present.has(reader.room)) dropRoom(connection, reader, sources);
  return states;
}

/** Rooms of which nothing is missing run live at once, the others one after another in the order of the client. */
async function goOn(
  connection: Connection,
  rooms: readonly RoomState[],
  cursors: ReadonlyMap<string, Cursor>,
  sources: JoinSources,
): Promise<void> {
  const isWhole = ({ id, epoch, s }: RoomState): boolean => {
    const [cursorEpoch, cursorS] = cursors.get(id) ?? [epoch, s];
    return cursorEpoch === epoch && cursorS === s;
  };
  const whole = rooms.filter(isWhole);
  const resumed = whole.filter(({ id }) => cursors.has(id)).map(({ id, epoch, s }) => [id, ["ok", epoch, s]] as const);
  if (resumed.length > 0) connection.tell({ resumed: Object.fromEntries(resumed) });
  for (const state of whole) {
    const reader = connection.readers.get(state.id);
    if (reader !== undefined) releaseRoom(connection, state, reader, sources);
  }
  const behind = new Map(rooms.filter((state) => !isWhole(state)).map((state) => [state.id, state]));
  let turn = Promise.resolve();
  for (const [room, cursor] of cursors) {
    const state = behind.get(room);
    const reader = connection.readers.get(room);
    if (state === undefined || reader === undefined) continue;
    const before = turn;
    turn = inTurn(connection, room, async () => {
      await before;
      if (connection.isOpen) await finishResume(connection, state, { reader, cursor }, sources);
    });
  }
  await turn;
}
