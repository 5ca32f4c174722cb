import type { Change } from "./change.ts";
import { changesOfCommandRows, changesOfCommit, changesOfEvent, commandRow } from "./changesOfCommit.ts";
import type { Commit, StoredEvent } from "./commit.ts";
import { turnsEpoch } from "./epochBegan.ts";
import type { ContextModel, DomainEvent, EventPlace, Subject } from "./event.ts";
import { isContested, type ParkedMark, ParkedSubjects } from "./parked.ts";
import type { VaultKey } from "./ports.ts";
import { openEvent } from "./sealing.ts";
import { storableText } from "./tableDigest.ts";

/** A subject that a fold parked. */
export interface NewMark extends ParkedMark {
  /** The parked subject because of which it was parked too; undefined where its own event could not be applied. */
  readonly waitsFor?: ParkedMark;
}

/** What a commit comes to where what can't be applied parks its subject. */
export interface ParkedFold {
  readonly changes: readonly Change[];
  /** The subjects that this commit parked. */
  readonly parked: readonly NewMark[];
}

/** Narrows what a fold applies, when it applies what it had left out before. */
export interface FoldLimits {
  /** Whether an event that names these subjects is to be applied; command rows are not. */
  isWanted(subjects: readonly Subject[], n: number): boolean;
  /** What is wrong with the place of an event, if anything. */
  fault(event: StoredEvent): string | undefined;
}

/**
 * Folds a lane's commits, one after another, around its parked subjects: in each commit the events of a subject are applied all or not at
 * all. Who is parked is a part of the fold, so whoever begins with the same marks at the same commit gets the same rows.
 */
export class ParkingFold {
  readonly #model: ContextModel;
  readonly #contested: ReadonlyMap<string, Subject["kind"]>;
  readonly marks: ParkedSubjects;

  constructor(model: ContextModel, marks: Iterable<ParkedMark> = []) {
    this.#model = model;
    this.marks = new ParkedSubjects(marks);
    const contested = model.tables.filter(isContested);
    this.#contested = new Map(
      contested.flatMap(({ name, subject }) => (subject ? [[name, subject.kind] as const] : [])),
    );
  }

  /** Takes the next commit. Never throws. */
  take(commit: Commit, keys: ReadonlyMap<string, VaultKey>, limits?: FoldLimits): ParkedFold {
    if (this.marks.size === 0 && limits === undefined) {
      try {
        return { changes: changesOfCommit(commit, this.#model, keys), parked: none };
      } catch {
        // Which event it was, and whose, is looked up now.
      }
    }
    const parked: NewMark[] = [];
    for (;;) {
      const before = parked.length;
      const changes = this.#tryOnce(commit, keys, limits, parked);
      // Nothing of a subject that is parked in this commit may be among the changes.
      if (parked.length === before) return { changes, parked };
    }
  }

  #tryOnce(
    commit: Commit,
    keys: ReadonlyMap<string, VaultKey>,
    limits: FoldLimits | undefined,
    parked: NewMark[],
  ): Change[] {
    const place: EventPlace = { lane: commit.lane, n: commit.n, at: commit.at };
    const changes: Change[] = [];
    for (const entry of commit.entries) {
      if (limits === undefined && !turnsEpoch(entry)) changes.push(commandRow(entry, commit));
      for (const stored of entry.events) {
        const subjects = subjectsOf(stored, this.#model);
        if (limits !== undefined && !limits.isWanted(subjects, commit.n)) continue;
        const outcome = this.#apply(stored, subjects, { place, keys, limits });
        if ("changes" in outcome) changes.push(...outcome.changes);
        else this.#park(subjects, { ...outcome, from: commit.n, type: stored.type }, parked);
      }
    }
    return changes;
  }

  #apply(
    stored: StoredEvent,
    subjects: readonly Subject[],
    { place, keys, limits }: { place: EventPlace; keys: ReadonlyMap<string, VaultKey>; limits: FoldLimits | undefined },
  ): { readonly changes: readonly Change[] } | Pick<NewMark, "reason" | "waitsFor"> {
    const other = subjects.map((subject) => this.#markBefore(subject, place.n)).find((mark) => mark !== undefined);
    if (other !== undefined)
      return { reason: `it is changed together with ${other.kind} ${other.id}`, waitsFor: other };
    const fault = limits?.fault(stored);
    if (fault !== undefined) return { reason: fault };
    const applied = applyEvent(stored, this.#model, { place, keys });
    if ("reason" in applied) return applied;
    for (const change of applied.changes) {
      const kind = change.op === "insert" ? this.#contested.get(change.table) : undefined;
      const holder = kind && this.marks.someOf(kind, place.n);
      if (holder === undefined) continue;
      return { reason: `it takes what ${holder.kind} ${holder.id} might have`, waitsFor: holder };
    }
    return applied;
  }

  #markBefore(subject: Subject, n: number): ParkedMark | undefined {
    const mark = this.marks.get(subject);
    return mark !== undefined && mark.from <= n ? mark : undefined;
  }

  #park(subjects: readonly Subject[], why: Omit<NewMark, "kind" | "id">, parked: NewMark[]): void {
    for (const { kind, id } of subjects) {
      if (this.#markBefore({ kind, id }, why.from) !== undefined) continue;
      const mark = { kind, id, ...why };
      this.marks.set(mark);
      parked.push(mark);
    }
  }
}

/** A commit as a view of the lane's head takes it. */
export interface ReadCommit {
  /** Of all events that can be applied, those of parked subjects too: their rows are refused for as long as they are parked. */
  readonly changes: readonly Change[];
  /** Those events. */
  readonly events: readonly DomainEvent[];
  /** The subjects of the others. */
  readonly parked: readonly ParkedMark[];
}

/** What a commit comes to for a view. Never throws, so whoever follows a lane is never held up by one event. */
export function readCommit(commit: Commit, model: ContextModel, keys: ReadonlyMap<string, VaultKey>): ReadCommit {
  const place: EventPlace = { lane: commit.lane, n: commit.n, at: commit.at };
  const changes = changesOfCommandRows(commit);
  const events: DomainEvent[] = [];
  const parked: ParkedMark[] = [];
  for (const entry of commit.entries) {
    for (const stored of entry.events) {
      const applied = applyEvent(stored, model, { place, keys });
      if ("event" in applied) {
        events.push(applied.event);
        changes.push(...applied.changes);
      } else {
        const why = { from: commit.n, type: stored.type, reason: applied.reason };
        parked.push(...subjectsOf(stored, model).map(({ kind, id }) => ({ kind, id, ...why })));
      }
    }
  }
  return { changes, events, parked };
}

/** All subjects that an event names: its own, and those of which it changes rows too. */
export function subjectsOf(event: Pick<StoredEvent, "subject" | "data">, model: ContextModel): readonly Subject[] {
  const also = model.alsoNamed?.(event);
  return also === undefined || also.length === 0 ? [event.subject] : [event.subject, ...also];
}

function applyEvent(
  stored: StoredEvent,
  model: ContextModel,
  { place, keys }: { readonly place: EventPlace; readonly keys: ReadonlyMap<string, VaultKey> },
): { readonly event: DomainEvent; readonly changes: readonly Change[] } | { readonly reason: string } {
  try {
    const event = openEvent(stored, model, keys);
    return { event, changes: changesOfEvent(event, place, model) };
  } catch (error) {
    return { reason: storableText(error instanceof Error ? error.message : String(error)).slice(0, maxReasonLength) };
  }
}

const maxReasonLength = 500;
const none: readonly NewMark[] = [];
