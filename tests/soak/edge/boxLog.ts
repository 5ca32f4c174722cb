import { type Commit, decodeCommit, type Entry, type Lane, type StoredEvent } from "@connect-hub/domain/kernel";
import { type NatsLink, openLane } from "@connect-hub/jetstream";
import type { Connections } from "../../../apps/hub/box/connections.ts";
import { lanesOf } from "../../../apps/hub/box/migrate.ts";
import { commitsBetween } from "../../../apps/hub/events/commitsBetween.ts";
import { connectAsOperator } from "../../../apps/hub/lanes.ts";

/** A command that is on the log. */
export interface Logged {
  readonly actor: string;
  readonly key: string;
  /** What its answer says. */
  readonly result: { readonly room?: string; readonly s?: number };
  readonly events: readonly LoggedEvent[];
}

/** A numbered event of a room. */
export interface LoggedEvent {
  readonly room: string;
  readonly s: number;
  /** As it is called on the wire. */
  readonly kind: string;
  readonly by: string;
  /** Who is in the room from then on, or no more. */
  readonly came: readonly string[];
  readonly went: readonly string[];
}

/** The log of a box, read from JetStream, in the operator's name. */
export interface BoxLog {
  /** All commands about rooms that came since the last time. */
  read(): Promise<readonly Logged[]>;
  close(): Promise<void>;
}

const readMs = 30_000;

/** Opens it. */
export async function openBoxLog(connections: Connections): Promise<BoxLog> {
  const link: NatsLink = await connectAsOperator(connections);
  const ids = lanesOf(connections.roomLanes).filter((id) => id.startsWith("rooms."));
  const lanes = await Promise.all(ids.map((id) => openLane(link, { prefix: connections.prefix, id })));
  const reached = new Map<Lane, number>();

  async function readOn(lane: Lane): Promise<readonly Logged[]> {
    const from = (reached.get(lane) ?? 0) + 1;
    const to = await lane.lastNumber();
    const found: Logged[] = [];
    for await (const { bytes } of commitsBetween(lane, { from, to }, AbortSignal.timeout(readMs))) {
      found.push(...loggedIn(decodeCommit(bytes)));
    }
    reached.set(lane, to);
    return found;
  }
  return {
    read: async () => (await Promise.all(lanes.map(readOn))).flat(),
    close: () => link.close(),
  };
}

function loggedIn({ entries }: Commit): readonly Logged[] {
  return entries.map(({ key, result, events }: Entry) => ({
    actor: key.actor,
    key: key.id,
    result: result as Logged["result"],
    events: events.flatMap(eventOf),
  }));
}

function eventOf({ type, subject, s, by, data }: StoredEvent): readonly LoggedEvent[] {
  if (subject.kind !== "room" || s === undefined) return [];
  const name = type.slice(0, type.indexOf("."));
  const user = typeof data.user === "string" ? [data.user] : [];
  const first = Array.isArray(data.members) ? data.members.map((member) => (member as { user: string }).user) : [];
  const came = name === "RoomCreated" ? first : name === "MemberAdded" ? user : [];
  const went = name === "MemberLeft" || name === "MemberRemoved" ? user : [];
  const kind = `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
  return [{ room: subject.id, s, kind, by, came, went }];
}
