import { applyChange, type Change, type FactRef, factRef, type Row, type Table } from "@connect-hub/domain/kernel";

/** What happens to a row that is there: changed in place (`set` and `add` name different columns), replaced, or gone. */
export type PresentEffect =
  | { readonly to: "update"; readonly set: Row; readonly add: { readonly [column: string]: number } }
  | { readonly to: "row"; readonly row: Row }
  | { readonly to: "gone" };

/** What many changes of one key come to, whether its row is there or not. */
export interface NetEffect {
  readonly key: readonly string[];
  /** The row afterwards where there was none; null: still none. */
  readonly ifAbsent: Row | null;
  readonly ifPresent: PresentEffect;
}

/** One step for one table: effects on keys of which none occurs twice, or rows to delete by a column. */
export type FoldStep =
  | { readonly kind: "effects"; readonly effects: readonly NetEffect[] }
  | { readonly kind: "deleteWhere"; readonly column: string; readonly values: readonly string[] };

/** What a batch does to one table, in order. Tables don't depend on each other. */
export interface FoldedTable {
  readonly table: Table;
  readonly steps: readonly FoldStep[];
}

/**
 * Folds changes per key into what they come to, without knowing the rows that are there. Applying the result gives the
 * same rows as applying the changes one by one.
 */
export class ChangeFold {
  readonly #folds: ReadonlyMap<string, TableFold>;

  constructor(tables: readonly Table[]) {
    this.#folds = new Map(tables.map((table) => [table.name, new TableFold(table)]));
  }

  /** Takes the next changes. Throws for a table that it was not made with. */
  add(changes: Iterable<Change>): void {
    for (const change of changes) {
      const fold = this.#folds.get(change.table);
      if (fold === undefined) throw new Error(`there is no read table "${change.table}"`);
      fold.add(change);
    }
  }

  /** What all of them come to; nothing may be added afterwards. */
  folded(): FoldedTable[] {
    return [...this.#folds.values()].map((fold) => fold.folded()).filter(({ steps }) => steps.length > 0);
  }
}

/** What these changes come to. */
export function foldChanges(changes: Iterable<Change>, tables: readonly Table[]): FoldedTable[] {
  const fold = new ChangeFold(tables);
  fold.add(changes);
  return fold.folded();
}

class TableFold {
  readonly #table: Table;
  readonly #steps: FoldStep[] = [];
  #effects = new Map<FactRef, NetEffect>();

  constructor(table: Table) {
    this.#table = table;
  }

  add(change: Change): void {
    if (change.op === "deleteWhere") {
      this.#deleteWhere(change.column, change.value);
      return;
    }
    const key = change.op === "insert" ? keyOfRow(this.#table, change.row) : change.key;
    const ref = factRef(this.#table.name, ...key);
    const { ifAbsent, ifPresent } = this.#effects.get(ref) ?? nothing;
    this.#effects.set(ref, { key, ifAbsent: applyChange(ifAbsent, change), ifPresent: follow(ifPresent, change) });
  }

  folded(): FoldedTable {
    this.#endEffects();
    return { table: this.#table, steps: this.#steps };
  }

  #deleteWhere(column: string, value: string): void {
    this.#endEffects();
    const last = this.#steps.at(-1);
    if (last?.kind === "deleteWhere" && last.column === column) {
      this.#steps[this.#steps.length - 1] = { ...last, values: [...last.values, value] };
    } else {
      this.#steps.push({ kind: "deleteWhere", column, values: [value] });
    }
  }

  #endEffects(): void {
    if (this.#effects.size === 0) return;
    this.#steps.push({ kind: "effects", effects: [...this.#effects.values()] });
    this.#effects = new Map();
  }
}

/** The effect on a row that is there, and then one more change. */
function follow(effect: PresentEffect, change: Exclude<Change, { op: "deleteWhere" }>): PresentEffect {
  if (effect.to !== "update") {
    const row = applyChange(effect.to === "row" ? effect.row : null, change);
    return row === null ? gone : { to: "row", row };
  }
  if (change.op === "insert") return effect;
  if (change.op === "delete") return gone;
  const set: Record<string, Row[string]> = { ...effect.set };
  const add: Record<string, number> = { ...effect.add };
  for (const [column, value] of Object.entries(change.values)) {
    if (change.op === "set") {
      set[column] = value;
      delete add[column];
    } else if (column in set) {
      set[column] = Number(set[column]) + Number(value);
    } else {
      add[column] = (add[column] ?? 0) + Number(value);
    }
  }
  return { to: "update", set, add };
}

function keyOfRow(table: Table, row: Row): string[] {
  return table.key.map((column) => String(row[column]));
}

const nothing = { ifAbsent: null, ifPresent: { to: "update", set: {}, add: {} } } as const;
const gone: PresentEffect = { to: "gone" };
