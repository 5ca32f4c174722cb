import {
  type Commit,
  changesOfEvent,
  type DomainEvent,
  decodeCommit,
  type Lane,
  MemoryTables,
  openEvent,
  type StoredCommit,
  sealedKeyIds,
  type Vault,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import type { Json, JsonObject } from "@connect-hub/domain/values";
import { BadSetting } from "@connect-hub/runtime/settings";
import { NotThere } from "../exitCodes.ts";
import { commitsBetween } from "./commitsBetween.ts";
import { mayHold } from "./eventFilter.ts";
import { lastCommitBy } from "./findCommit.ts";
import { assertPast } from "./vector.ts";

/** A room as it was. */
export interface RoomAsOf {
  readonly room: string;
  /** The number of its last event then, and the instant of that. */
  readonly s: number;
  readonly at: string;
  readonly type: string;
  readonly name: string | null;
  readonly members: readonly { readonly user: string; readonly role: string; readonly joinedS: number }[];
  readonly messages: readonly MessageAsOf[];
}

/** A message as it was. Its text stands here even if it was deleted later, unless its key was destroyed since: then it is erased. */
export interface MessageAsOf {
  readonly s: number;
  readonly at: string;
  readonly by: string;
  readonly type: string;
  readonly status: string;
  readonly text: string | null;
  readonly erased: boolean;
  /** What the room's own notices say, and the files of a message. */
  readonly data: JsonObject;
}

/** Up to which event of a room: its number, or an instant in milliseconds; the newest when neither is said. */
export type Until = { readonly s: number } | { readonly ms: number } | undefined;

/**
 * Folds the events of one room alone, up to a number or an instant. Throws `NotThere` for a room that is not on the log, or was not
 * there yet, and `BadSetting` for a number beyond its last and an instant that has yet to come.
 */
export async function roomAsOf(
  room: string,
  until: Until,
  { lane, vault, signal }: { readonly lane: Lane; readonly vault: Vault; readonly signal: AbortSignal },
): Promise<RoomAsOf> {
  if (until !== undefined && "ms" in until) assertPast(until.ms);
  const tables = new MemoryTables(roomModel.tables);
  const to = until !== undefined && "ms" in until ? await lastCommitBy(lane, until.ms) : await lane.lastNumber();
  const lastS = until !== undefined && "s" in until ? until.s : undefined;
  let reached = { s: 0, at: "" };
  for await (const { event, commit } of eventsOfRoom(room, { lane, to, vault, signal })) {
    if (lastS !== undefined && reached.s === lastS) break;
    tables.apply(changesOfEvent(event, commit, roomModel));
    if (event.s !== undefined) reached = { s: event.s, at: commit.at };
  }
  signal.throwIfAborted();
  if (reached.s === 0) {
    const then = until === undefined || "s" in until ? "on the log" : `there at ${new Date(until.ms).toISOString()}`;
    throw new NotThere(`The room ${room} is not ${then}.`);
  }
  if (lastS !== undefined && reached.s < lastS)
    throw new BadSetting(`The room ${room} has no event ${lastS}: its last one is ${reached.s}.`);
  return { room, ...reached, ...shown(tables) };
}

/** The events of a room in commits up to `to`, in order, opened. */
async function* eventsOfRoom(
  room: string,
  {
    lane,
    to,
    vault,
    signal,
  }: { readonly lane: Lane; readonly to: number; readonly vault: Vault; readonly signal: AbortSignal },
): AsyncGenerator<{ readonly event: DomainEvent; readonly commit: Commit }, void> {
  for await (const some of inBatches(lane, to, room, signal)) {
    const commits = some.map(({ bytes }) => decodeCommit(bytes));
    const keys = await vault.byId(sealedKeyIds(commits, roomModel));
    for (const commit of commits) {
      const events = commit.entries.flatMap((entry) => entry.events).filter(({ subject }) => subject.id === room);
      for (const stored of events) yield { event: openEvent(stored, roomModel, keys), commit };
    }
  }
}

/** The commits that may have events of the room, many at a time: keys are asked for once for all of them. */
async function* inBatches(
  lane: Lane,
  to: number,
  room: string,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredCommit[], void> {
  let some: StoredCommit[] = [];
  for await (const commit of commitsBetween(lane, { from: 1, to }, signal)) {
    if (!mayHold(commit.bytes, { room })) continue;
    some.push(commit);
    if (some.length < commitsAtATime) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

function shown(tables: MemoryTables): Pick<RoomAsOf, "type" | "name" | "members" | "messages"> {
  const [about] = tables.rows("rooms");
  return {
    type: String(about?.type),
    name: about?.name === undefined || about.name === null ? null : String(about.name),
    members: tables
      .rows("memberships")
      .map((row) => ({ user: String(row.user_id), role: String(row.role), joinedS: Number(row.joined_s) })),
    messages: tables
      .rows("messages")
      .sort((a, b) => Number(a.s) - Number(b.s))
      .map((row) => {
        const { text = null, ...data } = row.data as JsonObject;
        const isPost = row.type === "message";
        return {
          s: Number(row.s),
          at: String(row.sent_at),
          by: String(row.sent_by),
          type: String(row.type),
          status: String(row.status),
          text: textOf(text),
          erased: isPost && text === null && row.status !== "deleted",
          data,
        };
      }),
  };
}

const textOf = (text: Json): string | null => (text === null ? null : String(text));
const commitsAtATime = 500;
