import { type Context, contextOf } from "../values/ids.ts";
import type { Change } from "./change.ts";
import type { Commit, Entry } from "./commit.ts";
import { turnsEpoch } from "./epochBegan.ts";
import type { ContextModel, DomainEvent, EventPlace } from "./event.ts";
import { laneEvents } from "./laneEvents.ts";
import type { VaultKey } from "./ports.ts";
import { openEvent } from "./sealing.ts";

/** An event type that this version of the code does not know: a newer one wrote it. Its subject is parked. @public */
export class UnknownEventType extends Error {
  readonly code = "UnknownEventType";
}

/** All that a commit changes, in order: the one function behind the read tables and the memory of lanes. */
export function changesOfCommit(commit: Commit, model: ContextModel, keys: ReadonlyMap<string, VaultKey>): Change[] {
  const place: EventPlace = { lane: commit.lane, n: commit.n, at: commit.at };
  const changes: Change[] = [];
  for (const entry of commit.entries) {
    if (!turnsEpoch(entry)) changes.push(commandRow(entry, commit));
    for (const stored of entry.events) changes.push(...changesOfEvent(openEvent(stored, model, keys), place, model));
  }
  return changes;
}

/** The rows of the commands done in a commit; they don't depend on its events. */
export function changesOfCommandRows(commit: Commit): Change[] {
  return commit.entries.filter((entry) => !turnsEpoch(entry)).map((entry) => commandRow(entry, commit));
}

/** What one opened event changes. Throws `UnknownEventType`. */
export function changesOfEvent(event: DomainEvent, place: EventPlace, model: ContextModel): readonly Change[] {
  const definition = model.events[event.type] ?? laneEvents[event.type];
  if (definition === undefined)
    throw new UnknownEventType(`no code for events of type ${event.type}; use a newer version`);
  return definition.changes(event, place);
}

/** The table in which a lane's context keeps the commands done. */
export function commandTableOf(lane: Commit["lane"]): (typeof commandTables)[Context] {
  return commandTables[contextOf(lane)];
}

const commandTables = {
  accounts: "account_commands",
  rooms: "room_commands",
  content: "content_commands",
} as const satisfies { [context in Context]: string };

/** The row that makes a repeated command harmless for ever. */
export function commandRow(
  entry: Pick<Entry, "key" | "kind" | "digest" | "result">,
  place: Pick<EventPlace, "lane" | "n">,
): Change {
  const { actor, id } = entry.key;
  const row = { lane: place.lane, actor, id, kind: entry.kind, digest: entry.digest, result: entry.result, n: place.n };
  return { op: "insert", table: commandTableOf(place.lane), row };
}
