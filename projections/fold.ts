import { applyChange, type Change, type Row, type Table } from "@connect-hub/domain/kernel";

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

/**
 * One step for one table: rows to insert, of a table whose inserts are new; effects on keys of which none occurs twice;
 * or rows to delete by a column.
 */
export type FoldStep =
  | { readonly kind: "inserts"; readonly rows: readonly Row[] }
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
  /** New rows as they came. Their keys are of interest only once something else happens to the table: mostly nothing does. */
  #fresh: Row[] = [];
  #effects = new Map<string, Effect>();

  constructor(table: Table) {
    this.#table = table;
  }

  add(change: Change): void {
    if (change.op === "deleteWhere") {
      this.#deleteWhere(change.column, change.value);
    } else if (change.op === "insert" && this.#table.insertsAreNew && this.#effects.size === 0) {
      this.#fresh.push(change.row);
    } else {
      for (const row of this.#fresh) this.#addToKey({ op: "insert", table: this.#table.name, row });
      this.#fresh = [];
      this.#addToKey(change);
    }
  }

  #addToKey(change: RowChange): void {
    const key = change.op === "insert" ? this.#table.key.map((column) => String(change.row[column])) : change.key;
    const name = key.length === 1 ? String(key[0]) : key.join("|");
    const effect = this.#effects.get(name);
    if (effect !== undefined) follow(effect, change);
    else this.#effects.set(name, firstEffect(key, change));
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
    if (this.#fresh.length > 0) this.#steps.push({ kind: "inserts", rows: this.#fresh });
    this.#fresh = [];
    if (this.#effects.size === 0) return;
    this.#steps.push({ kind: "effects", effects: [...this.#effects.values()] });
    this.#effects = new Map();
  }
}

type RowChange = Exclude<Change, { op: "deleteWhere" }>;

/** An effect that is still growing. */
interface Effect extends NetEffect {
  ifAbsent: Row | null;
  ifPresent: PresentEffect | Update;
}

interface Update {
  readonly to: "update";
  readonly set: Record<string, Row[string]>;
  readonly add: Record<string, number>;
}

function firstEffect(key: readonly string[], change: RowChange): Effect {
  if (change.op === "insert") return { key, ifAbsent: change.row, ifPresent: untouched };
  if (change.op === "delete") return { key, ifAbsent: null, ifPresent: gone };
  const effect: Effect = { key, ifAbsent: null, ifPresent: untouched };
  follow(effect, change);
  return effect;
}

/** The effect, and then one more change. */
function follow(effect: Effect, change: RowChange): void {
  effect.ifAbsent = applyChange(effect.ifAbsent, change);
  const { ifPresent } = effect;
  if (ifPresent.to !== "update") {
    const row = applyChange(ifPresent.to === "row" ? ifPresent.row : null, change);
    effect.ifPresent = row === null ? gone : { to: "row", row };
  } else if (change.op === "delete") {
    effect.ifPresent = gone;
  } else if (change.op !== "insert") {
    const update = ifPresent === untouched ? { to: "update" as const, set: {}, add: {} } : (ifPresent as Update);
    effect.ifPresent = update;
    change.op === "set" ? followSet(update, change.values) : followAdd(update, change.values);
  }
}

function followSet({ set, add }: Update, values: Row): void {
  for (const column of Object.keys(values)) {
    set[column] = values[column] ?? null;
    if (column in add) delete add[column];
  }
}

function followAdd({ set, add }: Update, values: { readonly [column: string]: number }): void {
  for (const [column, amount] of Object.entries(values)) {
    if (column in set) set[column] = Number(set[column]) + amount;
    else add[column] = (add[column] ?? 0) + amount;
  }
}

const untouched: PresentEffect = { to: "update", set: {}, add: {} };
const gone: PresentEffect = { to: "gone" };
