import { contextOf, type LaneId, uuidV7Time } from "../values/ids.ts";
import { canonicalJson, type JsonObject } from "../values/json.ts";
import { commandTableOf } from "./changesOfCommit.ts";
import type { Command, CommandDefinition, CommandReply, KeyedHashes } from "./command.ts";
import { type FactRef, type Facts, factRef, type Row } from "./fact.ts";

/** A command that a writer has taken and not answered yet. */
export interface PendingCommand {
  readonly command: Command;
  readonly definition: CommandDefinition;
  /** `actor|id` */
  readonly key: string;
  /** The row that says that it was done. */
  readonly doneRef: FactRef;
  readonly idTimeMs: number;
  readonly digest: string;
  /** Commands with the same one keep their order; undefined where there is no order to keep. */
  readonly order: string | undefined;
  readonly answer: (reply: CommandReply) => void;
  readonly pinned: Set<FactRef>;
  foreign: ReadonlyMap<FactRef, Row | null> | undefined;
  prepared: JsonObject | undefined;
  /** How often facts were asked for. */
  rounds: number;
  ready: boolean;
}

/** `command` as a lane's writer keeps it; its data has been checked. */
export function pendingCommand(
  command: Command,
  definition: CommandDefinition,
  parts: { lane: LaneId; hashes: KeyedHashes; answer: (reply: CommandReply) => void },
): PendingCommand {
  const { actor, id } = command.key;
  return {
    command,
    definition,
    key: `${actor}|${id}`,
    doneRef: factRef(commandTableOf(parts.lane), parts.lane, actor, id),
    idTimeMs: uuidV7Time(id),
    digest: digestOf(command, definition, parts.hashes),
    order: actor === "anonymous" ? undefined : `${actor}|${command.subject}`,
    answer: parts.answer,
    pinned: new Set(),
    // Most posts name nothing of another lane: those have nothing to wait for.
    foreign: (definition.foreign?.(command) ?? []).length > 0 ? undefined : new Map(),
    prepared: definition.prepare ? undefined : {},
    rounds: 0,
    ready: false,
  };
}

/** The facts that a command sees: its foreign ones, if it needs any, before those of the lane. */
export function knownTo({ definition, foreign }: PendingCommand, lane: Facts): Facts {
  if (definition.foreign === undefined || foreign === undefined || foreign.size === 0) return lane;
  return { get: (ref) => (foreign.has(ref) ? foreign.get(ref) : lane.get(ref)) };
}

/** What makes two commands with one key the same: kind, subject and data without the secret fields. */
function digestOf(command: Command, definition: CommandDefinition, hashes: KeyedHashes): string {
  const data: Record<string, JsonObject[string]> = { ...command.data };
  for (const field of definition.secretFields) delete data[field];
  return hashes.digest(canonicalJson({ kind: command.kind, subject: command.subject, data }));
}

/** Whether a definition belongs to a lane. */
export function isOfLane(definition: CommandDefinition | undefined, lane: LaneId): definition is CommandDefinition {
  return definition !== undefined && definition.context === contextOf(lane);
}
