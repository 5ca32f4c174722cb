import type { Row } from "./fact.ts";

/**
 * One change to one read table. `insert` does nothing where the row is there already; `set`, `add` and `delete` do
 * nothing where it is absent. `set` holds absolute values, `add` what to add to whole numbers. `deleteWhere` is only for
 * rows that no decider asks for any more. Every applier obeys this, in memory and in Postgres.
 */
export type Change =
  | { readonly op: "insert"; readonly table: string; readonly row: Row }
  | { readonly op: "set"; readonly table: string; readonly key: readonly string[]; readonly values: Row }
  | {
      readonly op: "add";
      readonly table: string;
      readonly key: readonly string[];
      readonly values: { readonly [column: string]: number };
    }
  | { readonly op: "delete"; readonly table: string; readonly key: readonly string[] }
  | { readonly op: "deleteWhere"; readonly table: string; readonly column: string; readonly value: string };
