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

/** What becomes of a row (null = absent) by a change that names it. The meaning of all changes but `deleteWhere`. */
export function applyChange(row: Row | null, change: Exclude<Change, { op: "deleteWhere" }>): Row | null {
  if (change.op === "insert") return row ?? change.row;
  if (row === null || change.op === "delete") return null;
  if (change.op === "set") return { ...row, ...change.values };
  const sums: Record<string, number> = {};
  for (const [column, amount] of Object.entries(change.values)) sums[column] = Number(row[column]) + amount;
  return { ...row, ...sums };
}
