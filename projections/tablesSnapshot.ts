import type { Row, Table } from "@connect-hub/domain/kernel";
import type { LaneCheckpoint } from "./applier.ts";

/** The read tables of one context as they were at one moment. All methods throw `FactsUnavailable`. */
export interface TablesSnapshot {
  readonly checkpoints: readonly LaneCheckpoint[];
  /** All rows of a table in the order of their keys, some at a time. */
  rows(table: Table): AsyncIterable<readonly Row[]>;
  /** How many rows a table has. */
  count(table: Table): Promise<number>;
  close(): Promise<void>;
}
