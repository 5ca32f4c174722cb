import { contextOf } from "../values/ids.ts";
import { decodePosition } from "../values/position.ts";
import { type FactRef, type Row, type Schema, splitRef, type Table } from "./fact.ts";
import { markOn, ParkedSubjects, SubjectParked } from "./parked.ts";
import { pause } from "./pause.ts";
import { type FactSource, FactsOfAnotherVersion, FactsUnavailable, type Lane, schemaOf } from "./ports.ts";
import { epoch8 } from "./subjects.ts";

/** What facts of other lanes are read from. */
export interface ForeignFactsOptions {
  /** The lane of each schema whose facts may be asked for; all of a schema's facts are of one lane. */
  readonly lanes: { readonly [schema in Schema]?: Lane };
  readonly tables: readonly Table[];
  readonly source: FactSource;
  /** The version of facts that this code understands, by schema: rows of tables of another one are not read. */
  readonly factsVersions?: { readonly [schema in Schema]?: string };
}

/** Facts of other lanes: rows at those lanes' checkpoints. They may be stale; a reactor handles what changes later. */
export class ForeignFacts {
  readonly #byTable: ReadonlyMap<string, ForeignLane>;

  constructor(options: ForeignFactsOptions) {
    const { lanes, tables } = options;
    const checked = refusingStrange(options);
    const bySchema = new Map(Object.entries(lanes).map(([schema, lane]) => [schema, new ForeignLane(lane, checked)]));
    this.#byTable = new Map(
      tables.flatMap(({ name, schema }) => {
        const lane = bySchema.get(schema);
        return lane === undefined ? [] : [[name, lane] as const];
      }),
    );
  }

  /**
   * These rows, as new as the position token `after` asks. A row that is absent is believed only at its lane's head as it
   * was at the call, so what was just told to anybody is seen. Throws `SubjectParked`, and `FactsUnavailable` at the deadline.
   */
  async load(
    refs: readonly FactRef[],
    after: string | undefined,
    deadlineAt: number,
  ): Promise<ReadonlyMap<FactRef, Row | null>> {
    const byLane = new Map<ForeignLane, FactRef[]>();
    for (const ref of refs) {
      const { table } = splitRef(ref);
      const lane = this.#byTable.get(table);
      if (lane === undefined) throw new Error(`facts of "${table}" are of no lane that others may ask`);
      const same = byLane.get(lane);
      if (same) same.push(ref);
      else byLane.set(lane, [ref]);
    }
    const loaded = await Promise.all([...byLane].map(([lane, some]) => lane.load(some, after, deadlineAt)));
    return new Map(loaded.flatMap((rows) => [...rows]));
  }
}

/** As `source`, but that `load` throws `SubjectParked` when one of the rows can't be had, and reads no tables of another version. */
function refusingStrange({ source, tables, factsVersions = {} }: ForeignFactsOptions): FactSource {
  const byName = new Map(tables.map((table) => [table.name, table]));
  return {
    async load(lane, refs) {
      const loaded = await source.load(lane, refs);
      const { n, factsVersion } = loaded.checkpoint;
      const ours = factsVersions[schemaOf[contextOf(lane)]] ?? factsVersion;
      // Not `FactsOfAnotherVersion`: the lane that asks is none of theirs, and its writer goes on.
      if (n > 0 && factsVersion !== ours) throw new FactsUnavailable(new FactsOfAnotherVersion(lane).message);
      if (loaded.parked.length === 0) return loaded;
      const parked = new ParkedSubjects(loaded.parked);
      for (const ref of refs) {
        const { table: name, key } = splitRef(ref);
        const table = byName.get(name);
        const mark = table && markOn(table, key, loaded.rows.get(ref) ?? null, parked);
        if (mark !== undefined) throw new SubjectParked(mark);
      }
      return loaded;
    },
  };
}

/** The facts of one lane, as others see them. */
class ForeignLane {
  readonly #lane: Lane;
  readonly #source: FactSource;
  /** Whoever waits for the checkpoint: one question at a time serves all. */
  readonly #waiting = new Set<{ readonly n: number; readonly reached: () => void }>();
  #polling = false;

  constructor(lane: Lane, source: FactSource) {
    this.#lane = lane;
    this.#source = source;
  }

  async load(
    refs: readonly FactRef[],
    after: string | undefined,
    deadlineAt: number,
  ): Promise<ReadonlyMap<FactRef, Row | null>> {
    const first = await this.#source.load(this.#lane.id, refs);
    const asked = this.#commitIn(after);
    const isKnown = refs.every((ref) => first.rows.get(ref));
    if (isKnown && first.checkpoint.n >= asked) return first.rows;
    const needed = isKnown ? asked : Math.max(asked, await this.#lane.lastNumber());
    if (first.checkpoint.n >= needed) return first.rows;
    await this.#reach(needed, deadlineAt);
    return (await this.#source.load(this.#lane.id, refs)).rows;
  }

  #commitIn(token: string | undefined): number {
    const position = token === undefined ? undefined : decodePosition(token)?.[this.#lane.id];
    return position?.[0] === epoch8(this.#lane.epoch) ? position[1] : 0;
  }

  /** Resolves when the tables have commit `n`; throws `FactsUnavailable` at the deadline. */
  #reach(n: number, deadlineAt: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const one = {
        n,
        reached: () => {
          clearTimeout(timer);
          this.#waiting.delete(one);
          resolve();
        },
      };
      const giveUp = (): void => {
        this.#waiting.delete(one);
        reject(new FactsUnavailable(`the read tables of ${this.#lane.id} lag`));
      };
      const timer = setTimeout(giveUp, Math.max(0, deadlineAt - Date.now()));
      this.#waiting.add(one);
      if (!this.#polling) void this.#poll();
    });
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    while (this.#waiting.size > 0) {
      const n = await this.#source.load(this.#lane.id, []).then(
        ({ checkpoint }) => checkpoint.n,
        () => 0,
      );
      for (const one of this.#waiting) if (one.n <= n) one.reached();
      if (this.#waiting.size > 0) await pause(pollMs);
    }
    this.#polling = false;
  }
}

const pollMs = 15;
