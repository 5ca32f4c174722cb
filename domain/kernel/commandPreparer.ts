import type { Refusal, RefusalCode } from "../values/rejections.ts";
import type { KeyedHashes, PrepareTools } from "./command.ts";
import type { FactRef } from "./fact.ts";
import type { FactView } from "./factView.ts";
import type { ForeignFacts } from "./foreignFacts.ts";
import type { KeyWindow } from "./keyWindow.ts";
import { SubjectParked } from "./parked.ts";
import { knownTo, type PendingCommand } from "./pendingCommand.ts";

/** Where a command's needs come from. */
export interface PreparerParts {
  readonly view: FactView;
  readonly keys: KeyWindow;
  readonly hashes: KeyedHashes;
  readonly prepare: PrepareTools;
  readonly foreign: ForeignFacts | undefined;
}

/** Makes known what commands need before they are decided: facts of the lane, facts of another one, slow work. */
export class CommandPreparer {
  readonly #parts: PreparerParts;

  constructor(parts: PreparerParts) {
    this.#parts = parts;
  }

  /** Whether all is in memory already: most commands in a room that lives. */
  isPrepared(pending: PendingCommand): boolean {
    return pending.prepared !== undefined && pending.foreign !== undefined && this.#missing(pending).length === 0;
  }

  /** Fetches and works until nothing is missing; a refusal when the facts change faster than they load. */
  async prepare(pending: PendingCommand): Promise<Refusal | undefined> {
    const { command, definition } = pending;
    const { view, foreign } = this.#parts;
    for (;;) {
      const missing = this.#missing(pending);
      if (missing.length > 0) {
        pending.rounds += 1;
        if (pending.rounds > maxRounds) return { code: "Busy", detail: "its facts change faster than they load" };
        await view.load(missing);
      } else if (pending.foreign === undefined) {
        const deadlineAt = Math.min(command.deadlineAt, Date.now() + foreignWaitMs);
        const refs = definition.foreign?.(command) ?? [];
        pending.foreign = (await foreign?.load(refs, command.after, deadlineAt)) ?? new Map();
      } else if (pending.prepared === undefined) {
        pending.prepared = (await definition.prepare?.(command, knownTo(pending, view), this.#parts.prepare)) ?? {};
      } else return undefined;
    }
  }

  /** The command is answered: its facts may be evicted. */
  release(pending: PendingCommand): void {
    this.#parts.view.unpin(pending.pinned);
    pending.pinned.clear();
  }

  /** The facts of this lane that the command needs and nobody has loaded. */
  #missing(pending: PendingCommand): FactRef[] {
    const { view, keys } = this.#parts;
    const { command, definition } = pending;
    const needs = this.#needs(pending);
    const elsewhere = definition.foreign?.(command);
    const own =
      elsewhere === undefined || elsewhere.length === 0 ? needs : needs.filter((ref) => !elsewhere.includes(ref));
    if (!keys.get(pending.key) && !keys.isSurelyNew(pending.idTimeMs)) own.push(pending.doneRef);
    for (const ref of own) {
      if (pending.pinned.has(ref)) continue;
      pending.pinned.add(ref);
      view.pin([ref]);
    }
    return own.filter((ref) => !view.knows(ref));
  }

  #needs(pending: PendingCommand): FactRef[] {
    const { view, hashes } = this.#parts;
    try {
      return [...pending.definition.needs(pending.command, knownTo(pending, view), hashes)];
    } catch (error) {
      // What it needs leads to a parked subject. It may have been done before; if not, it is refused when it is decided.
      if (error instanceof SubjectParked) return [];
      throw error;
    }
  }
}

/** The retryable refusal for a dependency that is away. Undefined for anything else: that is a bug. */
export function refusalOf(error: unknown): Refusal | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = refusalsByErrorCode[code];
  return known && { code: known };
}

const refusalsByErrorCode: { readonly [code: string]: RefusalCode } = {
  Busy: "Busy",
  FactsUnavailable: "Unavailable",
  VaultUnavailable: "Unavailable",
  LogUnavailable: "Unavailable",
  EpochOver: "LaneMoved",
  Parked: "Parked",
};
const maxRounds = 3;
const foreignWaitMs = 5_000;
