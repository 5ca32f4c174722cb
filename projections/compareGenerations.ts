import { canonicalRow, compareByKey, type Row, type Table } from "@connect-hub/domain/kernel";
import type { TablesSnapshot } from "./tablesSnapshot.ts";

/** The first row by which two generations differ; null where one of them has none. */
export interface GenerationDifference {
  readonly table: string;
  /** The key, its columns joined by `|`. */
  readonly key: string;
  readonly served: Row | null;
  readonly rebuilt: Row | null;
}

export interface Comparison {
  /** The tables that were found to be the same, with how many rows they have. */
  readonly tables: readonly { readonly table: string; readonly rows: number }[];
  readonly difference: GenerationDifference | null;
}

/** Compares all rows of these tables in two snapshots at one position, up to the first difference; holds some thousand rows. */
export async function compareGenerations(
  served: TablesSnapshot,
  rebuilt: TablesSnapshot,
  tables: readonly Table[],
): Promise<Comparison> {
  const same: { table: string; rows: number }[] = [];
  for (const table of tables) {
    const [ours, theirs] = [new RowStream(served.rows(table)), new RowStream(rebuilt.rows(table))];
    let rows = 0;
    for (;;) {
      const [a, b] = [await ours.next(), await theirs.next()];
      if (a === undefined && b === undefined) break;
      const difference = differenceOf(table, a, b);
      if (difference !== null) {
        await Promise.all([ours.end(), theirs.end()]);
        return { tables: same, difference };
      }
      rows += 1;
    }
    same.push({ table: `${table.schema}.${table.name}`, rows });
  }
  return { tables: same, difference: null };
}

function differenceOf(table: Table, served: Row | undefined, rebuilt: Row | undefined): GenerationDifference | null {
  const order = compareOptional(table, served, rebuilt);
  if (order === 0 && served !== undefined && rebuilt !== undefined) {
    if (JSON.stringify(served) === JSON.stringify(rebuilt)) return null;
    if (canonicalRow(table, served) === canonicalRow(table, rebuilt)) return null;
  }
  const row = (order <= 0 ? served : rebuilt) ?? {};
  return {
    table: `${table.schema}.${table.name}`,
    key: table.key.map((column) => String(row[column])).join("|"),
    served: order <= 0 ? (served ?? null) : null,
    rebuilt: order >= 0 ? (rebuilt ?? null) : null,
  };
}

/** A row that is not there comes after all others. */
function compareOptional(table: Table, a: Row | undefined, b: Row | undefined): number {
  if (a === undefined) return 1;
  return b === undefined ? -1 : compareByKey(table, a, b);
}

class RowStream {
  readonly #batches: AsyncIterator<readonly Row[]>;
  #rows: readonly Row[] = [];
  #place = 0;

  constructor(batches: AsyncIterable<readonly Row[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  /** A promise only where the next rows have to come first: one a row would cost more than the row. */
  next(): Row | undefined | Promise<Row | undefined> {
    return this.#place < this.#rows.length ? this.#rows[this.#place++] : this.#more();
  }

  async end(): Promise<void> {
    await this.#batches.return?.();
  }

  async #more(): Promise<Row | undefined> {
    const { value, done } = await this.#batches.next();
    if (done === true) return undefined;
    this.#rows = value;
    this.#place = 1;
    return value[0];
  }
}
