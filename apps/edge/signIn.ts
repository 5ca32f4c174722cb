import { type AuthFrame, type Cursor, readCursors } from "@connect-hub/protocol";
import type { Admission } from "./admission.ts";
import type { Budgets } from "./budgets.ts";
import type { Connection } from "./connection.ts";
import {
  canBeReached,
  dropRoom,
  finishResume,
  type HeldRoom,
  holdRoom,
  inTurn,
  isOfFormerMembership,
  type JoinSources,
  releaseRoom,
} from "./joinRooms.ts";
import { Refused } from "./refusals.ts";
import { candidateRooms, type RoomSources, roomSetVersion, statesIn } from "./roomStates.ts";
import { sessionHolds, whoHas } from "./sessions.ts";
import type { Sockets } from "./sockets.ts";

/** What a sign-in rests on. */
export interface SignInSources extends JoinSources, RoomSources {
  readonly sockets: Sockets;
  readonly budgets: Budgets;
  readonly admission: Admission;
}

/**
 * In its turn, checks the token, puts the socket into the user's rooms, sends `ready` and what the client missed. Throws `Refused` and what the
 * sources throw; then the socket has to be ended.
 */
export async function signIn(connection: Connection, { auth }: AuthFrame, sources: SignInSources): Promise<void> {
  connection.signingIn();
  sources.budgets.admitAddress(connection.ip);
  const read = readCursors(auth.resume ?? {});
  if ("error" in read) throw new Refused(read.error, read.detail);
  const { cursors } = read;
  const entered = await sources.admission.run(() => enter(connection, { token: auth.token, cursors }, sources));
  // Who reads slowly what they missed keeps nobody waiting.
  await entered?.caughtUp;
}

/** Makes the socket ready; undefined when it was closed meanwhile. */
async function enter(
  connection: Connection,
  { token, cursors }: { readonly token: string; readonly cursors: ReadonlyMap<string, Cursor> },
  sources: SignInSources,
): Promise<{ readonly caughtUp: Promise<void> } | undefined> {
  const { lanes, sockets } = sources;
  if (!connection.isOpen) return;
  const who = await whoHas(token, lanes);
  if (!connection.isOpen) return;
  connection.who = who;
  // From here on it is ended when its session is; before that, look once more.
  sockets.add(connection);
  if (!sessionHolds(who, lanes)) throw new Refused("SessionEnded");
  await lanes.fresh(lanes.rooms);
  const { held, parked } = await heldRooms(connection, sources);
  connection.version = await roomSetVersion(who.user, lanes);
  if (!connection.isOpen) return;
  const { version } = connection;
  const rooms = [...held.values()].map(({ state }) => state);
  const position = lanes.position(lanes.all);
  connection.signedIn();
  const some = parked.length > 0 && { parked };
  connection.tell({ ready: { user: { id: who.user, name: who.name }, rooms, version, position, ...some } });
  return { caughtUp: goOn(connection, held, cursors, sources) };
}

/** Holds all rooms of the user, then reads their states, which are not before anything published earlier. */
async function heldRooms(
  connection: Connection,
  sources: JoinSources & RoomSources,
): Promise<{ readonly held: ReadonlyMap<string, HeldRoom>; readonly parked: readonly string[] }> {
  const parked = new Set<string>();
  const rooms = new Map<string, HeldRoom>();
  let ids = await candidateRooms(connection.user, sources);
  while (ids.length > 0 && connection.isOpen) {
    for (const id of ids) rooms.delete(id);
    const readers = new Map(ids.map((id) => [id, holdRoom(connection, id, sources)]));
    await Promise.all([...readers.values()].map((reader) => canBeReached(reader, sources)));
    const seen = await statesIn(ids, connection.user, sources.lanes);
    for (const id of seen.parked) parked.add(id);
    for (const state of seen.states) {
      const reader = readers.get(state.id);
      if (reader !== undefined) rooms.set(state.id, { reader, state });
    }
    for (const [id, reader] of readers) if (!rooms.has(id)) dropRoom(connection, reader, sources);
    ids = ids.filter((id) => {
      const held = rooms.get(id);
      return held !== undefined && isOfFormerMembership(held);
    });
  }
  return { held: rooms, parked: [...parked] };
}

/** Rooms of which nothing is missing run live at once, the others one after another in the order of the client. */
async function goOn(
  connection: Connection,
  rooms: ReadonlyMap<string, HeldRoom>,
  cursors: ReadonlyMap<string, Cursor>,
  sources: JoinSources,
): Promise<void> {
  const isWhole = ({ state: { id, epoch, s } }: HeldRoom): boolean => {
    const [cursorEpoch, cursorS] = cursors.get(id) ?? [epoch, s];
    return cursorEpoch === epoch && cursorS === s;
  };
  const whole = [...rooms.values()].filter(isWhole);
  const resumed = whole
    .filter(({ state }) => cursors.has(state.id))
    .map(({ state: { id, epoch, s } }) => [id, ["ok", epoch, s]] as const);
  for (const [, [outcome]] of resumed) sources.onResumed?.(outcome);
  if (resumed.length > 0) connection.tell({ resumed: Object.fromEntries(resumed) });
  for (const held of whole) releaseRoom(connection, held, sources);
  let turn = Promise.resolve();
  for (const [room, cursor] of cursors) {
    const held = rooms.get(room);
    if (held === undefined || isWhole(held)) continue;
    const before = turn;
    turn = inTurn(connection, room, async () => {
      await before;
      if (connection.isOpen) await finishResume(connection, held, cursor, sources);
    });
  }
  await turn;
}
