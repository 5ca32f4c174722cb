import { applyChange, type Change } from "./change.ts";
import { type FactRef, factRef, type Row, refOfRow, splitRef, type Table } from "./fact.ts";
import { canonicalRow, compareByKey, tableDigest } from "./tableDigest.ts";

/** Read tables in memory: what every other applier of changes is held against. */
export class MemoryTables {
  readonly #tables: ReadonlyMap<string, { readonly table: Table; readonly rows: Map<FactRef, Row> }>;

  constructor(tables: readonly Table[]) {
    this.#tables = new Map(tables.map((table) => [table.name, { table, rows: new Map() }]));
  }

  /** Applies the changes one after another. Throws for a table that it was not made with. */
  apply(changes: Iterable<Change>): void {
    for (const change of changes) {
      const { table, rows } = this.#named(change.table);
      if (change.op === "deleteWhere") {
        for (const [ref, row] of rows) if (matches(row[change.column], change.value)) rows.delete(ref);
        continue;
      }
      const ref = change.op === "insert" ? refOfRow(table, change.row) : factRef(table.name, ...change.key);
      const row = applyChange(rows.get(ref) ?? null, change);
      if (row === null) rows.delete(ref);
      else rows.set(ref, row);
    }
  }

  /** The row, or null when it is absent. */
  get(ref: FactRef): Row | null {
    return this.#named(splitRef(ref).table).rows.get(ref) ?? null;
  }

  /** All rows of a table, in the order of their keys. */
  rows(name: string): Row[] {
    const { table, rows } = this.#named(name);
    return [...rows.values()].sort((a, b) => compareByKey(table, a, b));
  }

  /** The digest (hex) of each table, by name. */
  digests(): { [table: string]: string } {
    const digests: { [table: string]: string } = {};
    for (const [name, { table }] of this.#tables) {
      const digest = tableDigest();
      for (const row of this.rows(name)) digest.add(canonicalRow(table, row));
      digests[name] = digest.hex();
    }
    return digests;
  }

  #named(name: string): { readonly table: Table; readonly rows: Map<FactRef, Row> } {
    const found = this.#tables.get(name);
    if (found === undefined) throw new Error(`there is no read table "${name}"`);
    return found;
  }
}

function matches(value: Row[string] | undefined, wanted: string): boolean {
  return value !== null && value !== undefined && String(value) === wanted;
}
