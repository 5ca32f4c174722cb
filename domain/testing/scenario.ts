import { createHash } from "node:crypto";
import { changesOfEvent } from "../kernel/changesOfCommit.ts";
import type { Command, CommandDefinition, Decision, KeyedHashes } from "../kernel/command.ts";
import type { ContextModel, DomainEvent } from "../kernel/event.ts";
import type { FactRef, Facts, Row } from "../kernel/fact.ts";
import { MemoryTables } from "../kernel/memoryTables.ts";
import type { LaneId } from "../values/ids.ts";
import type { JsonObject } from "../values/json.ts";

/** Hashes without a key, the same in every test. */
export const plainHashes: KeyedHashes = {
  lookup: (text) => createHash("sha256").update(text).digest("hex"),
  digest: (text) => createHash("sha256").update(text).digest("hex"),
  sessionSecret: (session) => `secret of ${session}`,
};

/** What a decision is made over: what happened before, and rows of other lanes. */
export interface Scenario {
  readonly given: readonly DomainEvent[];
  readonly foreign?: ReadonlyMap<FactRef, Row>;
  readonly prepared?: JsonObject;
}

/**
 * Decides one command over given events as a lane's writer would: only facts that `needs` names are there, a fact that
 * it forgot is `undefined`.
 */
export function decideOver(
  model: ContextModel,
  lane: LaneId,
  definition: CommandDefinition,
  command: Command,
  { given, foreign = new Map(), prepared = {} }: Scenario,
): Decision {
  const tables = new MemoryTables(model.tables);
  const place = { lane, n: 1, at: "2026-01-01T00:00:00.000Z" };
  for (const event of given) tables.apply(changesOfEvent(event, place, model));
  const elsewhere = new Set(definition.foreign?.(command) ?? []);
  const known = new Map<FactRef, Row | null>();
  const facts: Facts = { get: (ref) => known.get(ref) };
  for (let size = -1; size < known.size; ) {
    size = known.size;
    for (const ref of definition.needs(command, facts, plainHashes)) {
      known.set(ref, elsewhere.has(ref) ? (foreign.get(ref) ?? null) : tables.get(ref));
    }
  }
  return definition.decide(command, facts, { hashes: plainHashes, prepared });
}
