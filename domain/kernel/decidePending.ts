import type { Json } from "../values/json.ts";
import { limits } from "../values/limits.ts";
import type { Refusal } from "../values/rejections.ts";
import type { Change } from "./change.ts";
import { changesOfEvent, commandRow } from "./changesOfCommit.ts";
import type { Decision, KeyedHashes } from "./command.ts";
import { encodeEntry } from "./commit.ts";
import type { ContextModel, DomainEvent, EventPlace } from "./event.ts";
import type { Facts } from "./fact.ts";
import type { FactView } from "./factView.ts";
import type { KeptRefusals } from "./keptRefusals.ts";
import type { DoneCommand, KeyWindow } from "./keyWindow.ts";
import type { Overlay } from "./overlay.ts";
import { SubjectParked } from "./parked.ts";
import { subjectsOf } from "./parkingFold.ts";
import { knownTo, type PendingCommand } from "./pendingCommand.ts";
import type { Vault } from "./ports.ts";
import { keyNamesOf, sealEvent } from "./sealing.ts";

/** What the decisions of one commit share. */
export interface DecideScope {
  readonly model: ContextModel;
  readonly vault: Vault;
  readonly hashes: KeyedHashes;
  readonly now: () => number;
  onBug(error: unknown): void;
  readonly view: FactView;
  readonly overlay: Overlay;
  readonly keys: KeyWindow;
  readonly refusals: KeptRefusals;
  readonly place: EventPlace;
  readonly atMs: number;
  /** The commands accepted for this commit so far, by key. */
  readonly done: Map<string, DoneCommand>;
  /** Those refused so far with this commit. */
  readonly refused: KeptRefusals;
}

/** A command on its way into a commit. */
export interface Accepted {
  readonly pending: PendingCommand;
  readonly entry: string;
  readonly events: readonly DomainEvent[];
  readonly changes: readonly Change[];
  readonly result: Json;
}

/**
 * `again`: not decidable yet, because facts are not loaded (no names) or the vault keys of these names are missing.
 * `result`: it was done before. A repeated key never reaches `decide`.
 */
export type DecideOutcome =
  | Accepted
  | { readonly refused: Refusal }
  | { readonly result: Json }
  | { readonly again: readonly string[] };

/** Decides one command over the facts as the commands before it leave them. */
export function decidePending(pending: PendingCommand, scope: DecideScope): DecideOutcome {
  try {
    return decided(pending, scope);
  } catch (error) {
    if (error instanceof SubjectParked) return parked;
    throw error;
  }
}

function decided(pending: PendingCommand, scope: DecideScope): DecideOutcome {
  const { command, definition } = pending;
  if (command.deadlineAt < scope.now()) return { refused: { code: "DeadlinePassed" } };
  const done = doneBefore(pending, scope);
  if (done === "unknown") return { again: [] };
  if (done !== undefined) return repeated(pending, done);
  const refused = scope.refused.get(pending) ?? scope.refusals.get(pending);
  if (refused !== undefined) return { refused };
  if (pending.idTimeMs > scope.atMs + limits.idAheadMs) {
    return { refused: { code: "KeyDatedAhead", detail: { allowedMs: limits.idAheadMs } } };
  }
  const facts = knownTo(pending, scope.overlay);
  const needs = definition.needs(command, facts, scope.hashes);
  if (needs.some((ref) => facts.get(ref) === undefined)) return { again: [] };
  const decision = decideSafely(pending, facts, scope);
  if ("refused" in decision) return decision;
  const { events, result } = decision;
  if (scope.view.hasParked && events.some((event) => namesParked(event, scope))) return parked;
  const missing = events.flatMap((event) => keyNamesOf(event, scope.model)).filter((name) => !scope.vault.cached(name));
  if (missing.length > 0) return { again: missing };
  return accepted(pending, events, result, scope);
}

function accepted(
  pending: PendingCommand,
  events: readonly DomainEvent[],
  result: Json,
  scope: DecideScope,
): DecideOutcome {
  const { command, digest } = pending;
  const keyOf = (name: string) => {
    const key = scope.vault.cached(name);
    if (key === undefined) throw new Error(`the vault forgot ${name} within one decision`);
    return key;
  };
  const row = { key: command.key, kind: command.kind, digest, result };
  const stored = events.map((event) => sealEvent(event, scope.model, keyOf));
  return {
    pending,
    entry: encodeEntry({ ...row, events: stored }),
    events,
    changes: [
      commandRow(row, scope.place),
      ...events.flatMap((event) => changesOfEvent(event, scope.place, scope.model)),
    ],
    result,
  };
}

/** A decider that throws is a bug: reported, and nothing of the command remains. */
function decideSafely({ command, definition, prepared }: PendingCommand, facts: Facts, scope: DecideScope): Decision {
  try {
    return definition.decide(command, facts, { hashes: scope.hashes, prepared: prepared ?? {} });
  } catch (error) {
    if (error instanceof SubjectParked) throw error;
    scope.onBug(error);
    return { refused: { code: "Internal" } };
  }
}

function namesParked(event: DomainEvent, { view, model }: DecideScope): boolean {
  return subjectsOf(event, model).some((subject) => view.isParked(subject));
}

const parked: DecideOutcome = { refused: { code: "Parked" } };

/** What is known of the key: done before, surely not, or not loaded. */
function doneBefore(pending: PendingCommand, scope: DecideScope): DoneCommand | "unknown" | undefined {
  const remembered = scope.done.get(pending.key) ?? scope.keys.get(pending.key);
  if (remembered !== undefined) return remembered;
  if (scope.keys.isSurelyNew(pending.idTimeMs)) return undefined;
  const row = scope.view.get(pending.doneRef);
  if (row === undefined) return "unknown";
  return row === null ? undefined : { digest: String(row.digest), result: row.result ?? null };
}

function repeated(pending: PendingCommand, done: DoneCommand): DecideOutcome {
  if (done.digest !== pending.digest) return { refused: { code: "KeyReused" } };
  const refusal = pending.definition.admitsRepeat?.(pending.prepared ?? {});
  return refusal === undefined ? { result: done.result } : { refused: refusal };
}
