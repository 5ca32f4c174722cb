import { applyChange, type Change } from "./change.ts";
import { type FactRef, type Facts, factRef, type Row, refOfRow, type Table } from "./fact.ts";
import { SubjectParked } from "./parked.ts";

/**
 * Facts as they will be when the commands decided so far are committed. Thrown away with the commit that does not come
 * to pass; what a refused command saw leaves no trace.
 */
export class Overlay implements Facts {
  readonly #below: Facts;
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #rows = new Map<FactRef, Row | null>();

  constructor(below: Facts, tables: ReadonlyMap<string, Table>) {
    this.#below = below;
    this.#tables = tables;
  }

  get(ref: FactRef): Row | null | undefined {
    const row = this.#rows.get(ref);
    return row === undefined ? this.#below.get(ref) : row;
  }

  /** A row that can't be had stays so, whatever changes it. */
  #known(ref: FactRef): Row | null | undefined {
    try {
      return this.get(ref);
    } catch (error) {
      if (error instanceof SubjectParked) return undefined;
      throw error;
    }
  }

  /** Takes the changes of an accepted command. Rows that nobody has loaded stay unknown. */
  apply(changes: readonly Change[]): void {
    for (const change of changes) {
      const table = this.#tables.get(change.table);
      if (table === undefined || !table.isFact || change.op === "deleteWhere") continue;
      const ref = change.op === "insert" ? refOfRow(table, change.row) : factRef(table.name, ...change.key);
      const before = this.#known(ref);
      if (before !== undefined) this.#rows.set(ref, applyChange(before, change));
    }
  }
}
