import type { Subject } from "./event.ts";
import type { Row, Table } from "./fact.ts";
import { markOn, type ParkedMark, ParkedSubjects, SubjectParked } from "./parked.ts";

/** The parked subjects as a view of a lane's head knows them: those of the read tables, and those of the tail after them. */
export class ViewMarks {
  readonly #onParked: ((mark: ParkedMark) => void) | undefined;
  #there: readonly ParkedMark[];
  #since: readonly ParkedMark[] = [];
  #all: ParkedSubjects;

  /** `there`: those of the tables. `onParked` is told of each that comes later. */
  constructor(there: readonly ParkedMark[] = [], onParked?: (mark: ParkedMark) => void) {
    this.#there = there;
    this.#all = new ParkedSubjects(there);
    this.#onParked = onParked;
  }

  get size(): number {
    return this.#all.size;
  }

  has(subject: Subject): boolean {
    return this.#all.get(subject) !== undefined;
  }

  /** Takes those of a commit of the tail. */
  add(marks: readonly ParkedMark[]): void {
    if (marks.length > 0) this.#set(this.#there, [...this.#since, ...marks]);
  }

  /** Takes those of the tables at commit `n`; whether any that was there before is there no more. */
  replace(there: readonly ParkedMark[], n: number): boolean {
    if (there.length === 0 && this.#all.size === 0) return false;
    const before = this.#all;
    // Of what is in the tables the projector has decided.
    const since = this.#since.filter(({ from }) => from > n);
    this.#set(there, since);
    for (const mark of before) if (this.#all.get(mark) === undefined) return true;
    return false;
  }

  /** Throws `SubjectParked` where a row with this key can't be had. */
  refuse(table: Table | undefined, key: readonly string[], row: Row | null): void {
    const mark = table && markOn(table, key, row, this.#all);
    if (mark !== undefined) throw new SubjectParked(mark);
  }

  #set(there: readonly ParkedMark[], since: readonly ParkedMark[]): void {
    const before = this.#all;
    this.#there = there;
    this.#since = since;
    this.#all = new ParkedSubjects([...since, ...there]);
    for (const mark of this.#all) if (before.get(mark) === undefined) this.#onParked?.(mark);
  }
}
