import {
  type ContextModel,
  canonicalRow,
  compareByKey,
  type MemoryTables,
  type Row,
  type Table,
  tableDigest,
} from "@connect-hub/domain/kernel";
import type { TablesSnapshot } from "./tablesSnapshot.ts";

/** How many rows a table has, and SHA-256 (hex) over all of them in the order of their keys. */
export interface TableDigest {
  readonly table: string;
  readonly rows: number;
  readonly digest: string;
}

/** The first row by which tables and fold differ; null where one of them has none. */
export interface TableDifference {
  readonly table: string;
  /** The key, its columns joined by `|`. */
  readonly key: string;
  readonly inTables: Row | null;
  readonly inFold: Row | null;
}

/** The digest of each table of a context, in the order of the model's. */
export async function digestTables(snapshot: TablesSnapshot, model: ContextModel): Promise<TableDigest[]> {
  const digests: TableDigest[] = [];
  for (const table of model.tables) {
    const digest = tableDigest();
    let rows = 0;
    for await (const some of snapshot.rows(table)) {
      for (const row of some) digest.add(canonicalRow(table, row));
      rows += some.length;
    }
    digests.push({ table: `${table.schema}.${table.name}`, rows, digest: digest.hex() });
  }
  return digests;
}

/** The same of tables in memory. */
export function digestFold(fold: MemoryTables, model: ContextModel): TableDigest[] {
  return model.tables.map((table) => {
    const digest = tableDigest();
    const rows = fold.rows(table.name);
    for (const row of rows) digest.add(canonicalRow(table, row));
    return { table: `${table.schema}.${table.name}`, rows: rows.length, digest: digest.hex() };
  });
}

/** One digest over the digests of many tables, by their names. */
export function digestOfDigests(digests: readonly TableDigest[]): string {
  const all = tableDigest();
  for (const { table, digest } of [...digests].sort((a, b) => (a.table < b.table ? -1 : 1)))
    all.add(`${table} ${digest}`);
  return all.hex();
}

/** The first difference between the tables and a fold of the log, or undefined when they are the same rows. */
export async function firstDifference(
  snapshot: TablesSnapshot,
  fold: MemoryTables,
  model: ContextModel,
): Promise<TableDifference | undefined> {
  for (const table of model.tables) {
    const difference = await differenceIn(table, snapshot, fold.rows(table.name));
    if (difference !== undefined) return difference;
  }
  return undefined;
}

async function differenceIn(
  table: Table,
  snapshot: TablesSnapshot,
  folded: readonly Row[],
): Promise<TableDifference | undefined> {
  let place = 0;
  for await (const some of snapshot.rows(table)) {
    for (const row of some) {
      const other = folded[place];
      const order = other === undefined ? -1 : compareByKey(table, row, other);
      if (order < 0) return difference(table, row, null);
      if (order > 0) return difference(table, null, other ?? null);
      if (other !== undefined && canonicalRow(table, row) !== canonicalRow(table, other))
        return difference(table, row, other);
      place += 1;
    }
  }
  const missing = folded[place];
  return missing === undefined ? undefined : difference(table, null, missing);
}

function difference(table: Table, inTables: Row | null, inFold: Row | null): TableDifference {
  const row = inTables ?? inFold;
  const key = table.key.map((column) => String(row?.[column])).join("|");
  return { table: `${table.schema}.${table.name}`, key, inTables, inFold };
}
