import type { Json } from "../values/json.ts";
import type { Subject } from "./event.ts";

/** A row of a read table; its columns are those of its table. */
export type Row = { readonly [column: string]: Json };

/**
 * `text`, `int` (up to 2^53 − 1), `bool`, `json` and `instant` (an ISO string with milliseconds, in UTC). All may be
 * null, but for the columns of the key.
 */
export type ColumnType = "text" | "int" | "bool" | "json" | "instant";

/** The schema that a context's tables lie in; each may be a database of its own. */
export type Schema = "auth" | "chat" | "content";

/** A read table as the domain knows it. Its name is unique over all schemas. */
export interface Table {
  readonly name: string;
  readonly schema: Schema;
  /** The columns of the primary key, in order. */
  readonly key: readonly string[];
  readonly columns: { readonly [column: string]: ColumnType };
  /** Whether deciders ask for rows of it. Of other tables no lane keeps changes in memory. */
  readonly isFact: boolean;
  /** Whether an insert can never meet a row that is there, so that it may be copied in. */
  readonly insertsAreNew: boolean;
  /** Whose rows these are: while that subject is parked they can't be had. Left out where no event of one subject decides a row. */
  readonly subject?: TableSubject;
  /** Another subject whose parking keeps back the rows that name it. */
  readonly also?: Omit<TableSubject, "before">;
}

/** Where a row says whose it is. */
export interface TableSubject {
  readonly kind: Subject["kind"];
  /** The column with the id. Where it is not one of the key, nobody can tell whose an absent row would be. */
  readonly column: string;
  /** The id is what stands before this text. */
  readonly before?: string;
}

/** Names one row: `table/key`, a key of several columns joined by `|`. */
export type FactRef = `${string}/${string}`;

/** The reference of the row of `table` whose key columns have these values, in order. */
export function factRef(table: string, ...key: readonly string[]): FactRef {
  return `${table}/${key.join("|")}`;
}

/** The table and the key of a reference. */
export function splitRef(ref: FactRef): { table: string; key: string[] } {
  const slash = ref.indexOf("/");
  return { table: ref.slice(0, slash), key: ref.slice(slash + 1).split("|") };
}

/** The reference of `row`. */
export function refOfRow(table: Table, row: Row): FactRef {
  return factRef(table.name, ...table.key.map((column) => String(row[column])));
}

/**
 * What a decider sees of the facts: a row, `null` when it is known to be absent, `undefined` when nobody has looked.
 * These are three different answers.
 */
export interface Facts {
  get(ref: FactRef): Row | null | undefined;
}
