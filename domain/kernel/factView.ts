import type { LaneId } from "../values/ids.ts";
import { applyChange, type Change } from "./change.ts";
import type { Subject } from "./event.ts";
import { type FactRef, type Facts, factRef, type Row, refOfRow, splitRef, type Table } from "./fact.ts";
import type { ParkedMark } from "./parked.ts";
import { pause } from "./pause.ts";
import {
  type Checkpoint,
  type FactSource,
  FactsOfAnotherVersion,
  FactsUnavailable,
  isOfLane,
  type Lane,
} from "./ports.ts";
import { RowCache } from "./rowCache.ts";
import { ViewMarks } from "./viewMarks.ts";

/** A change to one row. */
type RowChange = Exclude<Change, { op: "deleteWhere" }>;

/** What a view is made of, and its bounds. */
export interface FactViewOptions {
  readonly lane: LaneId;
  readonly source: FactSource;
  readonly tables: readonly Table[];
  /** The lane's epoch and the version of facts that this code understands: others' tables are not read. */
  readonly epoch?: string;
  readonly past?: Lane["past"];
  readonly factsVersion?: string;
  /** The subjects that are parked at the checkpoint. */
  readonly parked?: readonly ParkedMark[];
  /** Told of each subject whose rows can't be had from now on. */
  onParked?(mark: ParkedMark): void;
  /** Rows kept folded to the head; default 100,000. */
  readonly cacheRows?: number;
  /** The tail may hold so many events (default 200,000) … */
  readonly maxTailEvents?: number;
  /** … and so many bytes of commits (default 256 MiB). */
  readonly maxTailBytes?: number;
  /** How long `load` waits for read tables that are behind what this view no longer holds; default 2,000 ms. */
  readonly behindTimeoutMs?: number;
}

/** What a commit counts in the tail: its events, and one for each command that left none, as that is kept too. */
export function weightOf(entries: readonly { readonly events: readonly unknown[] }[]): number {
  return entries.reduce((sum, { events }) => sum + Math.max(1, events.length), 0);
}

/**
 * The facts of one lane: a fact = its row at the projector's checkpoint + the changes of the tail after it. Holds every
 * change in (floor, head] by row; the floor moves only to a checkpoint that it has read.
 */
export class FactView implements Facts {
  readonly #options: FactViewOptions;
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #cache: RowCache;
  readonly #tail = new Map<FactRef, { n: number; change: RowChange }[]>();
  readonly #marks: ViewMarks;
  readonly #commits: { n: number; refs: FactRef[]; events: number; bytes: number }[] = [];
  #head: number;
  #floor: number;
  #generation: number;
  #tailEvents = 0;
  #tailBytes = 0;
  #wanted = new Set<FactRef>();
  #next: Promise<Checkpoint> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  /** A view that begins at `checkpoint`, with an empty tail. */
  constructor(checkpoint: Checkpoint, options: FactViewOptions) {
    this.#options = options;
    this.#tables = new Map(options.tables.filter((table) => table.isFact).map((table) => [table.name, table]));
    this.#cache = new RowCache(options.cacheRows ?? 100_000);
    this.#head = checkpoint.n;
    this.#floor = checkpoint.n;
    this.#generation = checkpoint.generation;
    this.#marks = new ViewMarks(options.parked, options.onParked);
  }

  /** The last commit that the view has. */
  get head(): number {
    return this.#head;
  }

  /** The read tables' checkpoint as last read; the tail is (floor, head]. */
  get floor(): number {
    return this.#floor;
  }

  /** Whether the tail is at its bound: the projector lags too far to go on. */
  get isFull(): boolean {
    const { maxTailEvents = 200_000, maxTailBytes = 256 * 1024 * 1024 } = this.#options;
    return this.#tailEvents >= maxTailEvents || this.#tailBytes >= maxTailBytes;
  }

  /** Whether there are subjects whose rows can't be had. Those are looked at again with each `load`. */
  get hasParked(): boolean {
    return this.#marks.size > 0;
  }

  isParked(subject: Subject): boolean {
    return this.#marks.has(subject);
  }

  /** The row as of the head, `null` when absent, `undefined` when not loaded. Throws `SubjectParked`. */
  get(ref: FactRef): Row | null | undefined {
    const row = this.#cache.get(ref)?.row;
    if (row === undefined || this.#marks.size === 0) return row;
    const { table, key } = splitRef(ref);
    this.#marks.refuse(this.#tables.get(table), key, row);
    return row;
  }

  /** Whether `get` knows an answer, be it that the row can't be had. */
  knows(ref: FactRef): boolean {
    return this.#cache.get(ref) !== undefined;
  }

  /** Forgets the rows that nobody asked for since the last time. */
  age(): void {
    this.#cache.age();
  }

  /** Forgets these rows, unless they are kept from eviction: nobody is likely to ask for them again. */
  forget(refs: Iterable<FactRef>): void {
    for (const ref of refs) this.#cache.forget(ref);
  }

  /** Keeps the rows of these references from eviction until `unpin`. */
  pin(refs: Iterable<FactRef>): void {
    this.#cache.pin(refs);
  }

  unpin(refs: Iterable<FactRef>): void {
    this.#cache.unpin(refs);
  }

  /**
   * Takes commit `n` = head + 1 with all that it changes. `parked` are the subjects of its events that can't be applied; the changes of
   * those that can are all to be given, for they count once their subject is parked no more.
   */
  commit(
    n: number,
    changes: readonly Change[],
    size: { events: number; bytes: number },
    parked: readonly ParkedMark[] = [],
  ): void {
    this.#head = n;
    const refs = this.#fold(n, changes);
    if (n <= this.#floor) return;
    this.#marks.add(parked);
    this.#commits.push({ n, refs, ...size });
    this.#tailEvents += size.events;
    this.#tailBytes += size.bytes;
  }

  /**
   * Loads these rows and folds them with the tail, so that `get` knows them; calls of one turn share a statement. Returns
   * the checkpoint read. Throws `FactsUnavailable`.
   */
  load(refs: Iterable<FactRef>): Promise<Checkpoint> {
    for (const ref of refs) this.#wanted.add(ref);
    if (this.#next === undefined) {
      const run = this.#running.then(() => {
        this.#next = undefined;
        const wanted = [...this.#wanted];
        this.#wanted = new Set();
        return this.#loadNow(wanted);
      });
      this.#next = run;
      this.#running = run.catch(() => undefined);
    }
    return this.#next;
  }

  async #loadNow(refs: readonly FactRef[]): Promise<Checkpoint> {
    const giveUpAt = Date.now() + (this.#options.behindTimeoutMs ?? 2_000);
    for (;;) {
      const { checkpoint, rows, parked } = await this.#options.source.load(this.#options.lane, refs);
      this.#refuseStrange(checkpoint);
      if (checkpoint.generation !== this.#generation) {
        this.#generation = checkpoint.generation;
        this.#cache.clear();
      }
      if (checkpoint.n >= this.#floor) {
        // What was folded meanwhile into rows that were held back is not what they are.
        if (this.#marks.replace(parked, checkpoint.n)) this.#cache.clear();
        for (const ref of refs) this.#install(ref, rows.get(ref) ?? null, checkpoint.n);
        this.#moveFloor(checkpoint.n);
        return checkpoint;
      }
      if (Date.now() >= giveUpAt)
        throw new FactsUnavailable(`the read tables of ${this.#options.lane} are being rebuilt`);
      await pause(behindPollMs);
    }
  }

  /** A projector of another version, or of another log, filled the tables since this view began. */
  #refuseStrange(checkpoint: Checkpoint): void {
    const { lane, epoch = checkpoint.epoch, past = [], factsVersion = checkpoint.factsVersion } = this.#options;
    if (checkpoint.n === 0) return;
    if (!isOfLane({ epoch, past }, checkpoint))
      throw new FactsUnavailable(`the read tables of ${lane} are of another epoch`);
    if (factsVersion !== checkpoint.factsVersion) throw new FactsOfAnotherVersion(lane);
  }

  #install(ref: FactRef, loaded: Row | null, asOf: number): void {
    let row = loaded;
    for (const { n, change } of this.#tail.get(ref) ?? []) if (n > asOf) row = applyChange(row, change);
    this.#cache.set(ref, { row, asOf: Math.max(asOf, this.#head) });
  }

  /** Folds the changes into cached rows and, above the floor, into the tail. Returns the rows that it named. */
  #fold(n: number, changes: readonly Change[]): FactRef[] {
    const refs: FactRef[] = [];
    for (const change of changes) {
      const table = this.#tables.get(change.table);
      if (table === undefined || change.op === "deleteWhere") continue;
      const ref = change.op === "insert" ? refOfRow(table, change.row) : factRef(table.name, ...change.key);
      const cached = this.#cache.get(ref);
      // A row read from tables that were ahead of the tail has this change in it already.
      if (cached && n > cached.asOf) cached.row = applyChange(cached.row, change);
      refs.push(ref);
      if (n <= this.#floor) continue;
      const entry = { n, change };
      const before = this.#tail.get(ref);
      if (before) before.push(entry);
      else this.#tail.set(ref, [entry]);
    }
    return refs;
  }

  #moveFloor(to: number): void {
    if (to <= this.#floor) return;
    this.#floor = to;
    const gone = new Set<FactRef>();
    let commits = 0;
    for (const commit of this.#commits) {
      if (commit.n > to) break;
      commits += 1;
      this.#tailEvents -= commit.events;
      this.#tailBytes -= commit.bytes;
      for (const ref of commit.refs) gone.add(ref);
    }
    this.#commits.splice(0, commits);
    for (const ref of gone) this.#dropTail(ref, to);
  }

  #dropTail(ref: FactRef, to: number): void {
    const entries = this.#tail.get(ref);
    if (entries === undefined) return;
    const rest = entries.filter((entry) => entry.n > to);
    if (rest.length === 0) this.#tail.delete(ref);
    else this.#tail.set(ref, rest);
  }
}

const behindPollMs = 25;
