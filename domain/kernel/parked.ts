import type { Subject } from "./event.ts";
import type { Row, Table } from "./fact.ts";

// The rule of parking. An event that can't be applied parks each subject that it names: from that commit on no event of theirs is
// applied, and whoever needs one of their rows is refused (`Parked`), until the code was mended and they are tried again. All other
// subjects go on. A subject never gets wrong rows, and never rights that nobody looked up.

/** A subject of which an event could not be applied. */
export interface ParkedMark {
  readonly kind: Subject["kind"];
  readonly id: string;
  /** The number of the first commit of which no event of the subject was applied; those of later ones wait as well. */
  readonly from: number;
  /** The stored type of the event that was in the way there. */
  readonly type: string;
  /** Why, for an operator. */
  readonly reason: string;
  /** Whether an operator asked to try again. */
  readonly retry?: boolean;
}

/** A row of a parked subject, or one that might be, was asked for: try again when it was mended. */
export class SubjectParked extends Error {
  readonly code = "Parked";
  readonly retryable = true;

  constructor(readonly mark: Pick<ParkedMark, "kind" | "id" | "from" | "reason">) {
    super(`${mark.kind} ${mark.id} is parked since commit ${mark.from}: ${mark.reason}`);
  }
}

/** The parked subjects of a lane. */
export class ParkedSubjects {
  readonly #marks = new Map<string, ParkedMark>();

  constructor(marks: Iterable<ParkedMark> = []) {
    for (const mark of marks) this.set(mark);
  }

  get size(): number {
    return this.#marks.size;
  }

  get({ kind, id }: Subject): ParkedMark | undefined {
    return this.#marks.get(keyOf(kind, id));
  }

  /** Any subject of this kind that is parked since commit `n` or an earlier one. */
  someOf(kind: Subject["kind"], n = Number.POSITIVE_INFINITY): ParkedMark | undefined {
    for (const mark of this.#marks.values()) if (mark.kind === kind && mark.from <= n) return mark;
    return undefined;
  }

  set(mark: ParkedMark): void {
    this.#marks.set(keyOf(mark.kind, mark.id), mark);
  }

  delete({ kind, id }: Subject): void {
    this.#marks.delete(keyOf(kind, id));
  }

  [Symbol.iterator](): Iterator<ParkedMark> {
    return this.#marks.values();
  }
}

/**
 * What stands in the way of a row (null: absent) with this key. An absent one of which nobody can tell whose it would be might be that
 * of any parked subject of the kind.
 */
export function markOn(
  table: Table,
  key: readonly string[],
  row: Row | null,
  parked: ParkedSubjects,
): ParkedMark | undefined {
  const { subject, also } = table;
  if (subject === undefined || parked.size === 0) return undefined;
  const { kind, column, before } = subject;
  const inKey = table.key.indexOf(column);
  const value = inKey === -1 ? row?.[column] : key[inKey];
  if (value === undefined || value === null) return row === null ? parked.someOf(kind) : undefined;
  const text = String(value);
  const id = before === undefined ? text : (text.split(before, 1)[0] ?? text);
  const own = parked.get({ kind, id });
  if (own !== undefined || also === undefined || row === null) return own;
  return parked.get({ kind: also.kind, id: String(row[also.column]) });
}

/** Whether rows of different subjects may want the same key of this table, so that who came first decides. */
export function isContested({ subject, key, insertsAreNew }: Table): boolean {
  return subject !== undefined && !insertsAreNew && !key.includes(subject.column);
}

function keyOf(kind: string, id: string): string {
  return `${kind}/${id}`;
}
