import fc from "fast-check";
import type { Change } from "../kernel/change.ts";
import type { ColumnType, Row, Table } from "../kernel/fact.ts";
import { refOfRow } from "../kernel/fact.ts";
import { MemoryTables } from "../kernel/memoryTables.ts";
import type { Json } from "../values/json.ts";

/** Texts that appliers stumble over: what COPY, arrays and jsonb escape, and what Postgres can't hold. */
const hardTexts = [
  "",
  "\\",
  "\\N",
  "\\.",
  "a\tb\nc\r",
  '{"a",NULL}',
  "null",
  "'; --",
  "é€😀",
  "\0",
  "\ud800",
  "\\u0000",
];
const text = fc.oneof(fc.string(), fc.constantFrom(...hardTexts));
/** By what no store can hold, nothing is looked for: two such texts are one in Postgres. */
const parent = text.filter((value) => value.isWellFormed() && !value.includes("\0"));
const json = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean()), { maxKeys: 3 }),
) as fc.Arbitrary<Json>;

const values: { readonly [type in ColumnType]: fc.Arbitrary<Json> } = {
  text,
  int: fc.integer({ min: -1_000_000, max: 1_000_000 }),
  bool: fc.boolean(),
  json,
  instant: fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => new Date(ms).toISOString()),
};

/** Few values for each column of a key, so that a history meets the same rows again and again. */
const keyValues: { readonly [type in "text" | "int"]: readonly Json[] } = {
  text: ["a", "b-\t\\1", "é😀"],
  int: [1, 22],
};

/**
 * Histories of changes to these tables, of every kind, meeting the same few keys. With `insertsAreNew` they keep the
 * promise of tables that say so; without, they break it.
 */
export function changeHistories(tables: readonly Table[], options: { insertsAreNew: boolean }): fc.Arbitrary<Change[]> {
  const history = fc.array(fc.oneof(...tables.map(changeTo)), { maxLength: 60 });
  return options.insertsAreNew ? history.map((changes) => withoutRepeatedInserts(tables, changes)) : history;
}

function changeTo(table: Table): fc.Arbitrary<Change> {
  const others = Object.keys(table.columns).filter((column) => !table.key.includes(column));
  const ints = others.filter((column) => table.columns[column] === "int");
  const key = fc.tuple(...table.key.map((column) => fc.constantFrom(...keyValuesOf(table, column))));
  const parents = Object.keys(table.columns).filter((column) => table.columns[column] === "text");
  const kinds: fc.Arbitrary<Change>[] = [
    fc.tuple(key, rowOf(table, others)).map(([values, row]) => {
      const named = Object.fromEntries(table.key.map((column, index) => [column, values[index] ?? null]));
      return { op: "insert", table: table.name, row: { ...row, ...named } };
    }),
    key.map((values) => ({ op: "delete", table: table.name, key: values.map(String) })),
    fc
      .tuple(fc.constantFrom(...parents), fc.oneof(fc.constantFrom(...keyValues.text), parent))
      .map(([column, value]) => ({
        op: "deleteWhere",
        table: table.name,
        column,
        value: String(value),
      })),
  ];
  if (others.length > 0) {
    const some = fc.subarray(others, { minLength: 1 }).chain((columns) => rowOf(table, columns));
    kinds.push(
      fc
        .tuple(key, some)
        .map(([values, row]) => ({ op: "set", table: table.name, key: values.map(String), values: row })),
    );
  }
  if (ints.length > 0) {
    const amounts = fc.dictionary(fc.constantFrom(...ints), fc.integer({ min: -9, max: 9 }), {
      minKeys: 1,
      maxKeys: 2,
    });
    kinds.push(
      fc
        .tuple(key, amounts)
        .map(([values, add]) => ({ op: "add", table: table.name, key: values.map(String), values: add })),
    );
  }
  return fc.oneof({ arbitrary: kinds[0] as fc.Arbitrary<Change>, weight: 3 }, ...kinds.slice(1));
}

function rowOf(table: Table, columns: readonly string[]): fc.Arbitrary<Row> {
  const anyOf = (column: string) => fc.option(values[table.columns[column] ?? "text"], { freq: 6, nil: null });
  return fc.record(Object.fromEntries(columns.map((column) => [column, anyOf(column)])));
}

function keyValuesOf(table: Table, column: string): readonly Json[] {
  return table.columns[column] === "int" ? keyValues.int : keyValues.text;
}

function withoutRepeatedInserts(tables: readonly Table[], changes: readonly Change[]): Change[] {
  const memory = new MemoryTables(tables);
  const keepers = new Map(tables.filter((table) => table.insertsAreNew).map((table) => [table.name, table]));
  return changes.filter((change) => {
    const table = change.op === "insert" ? keepers.get(change.table) : undefined;
    if (table !== undefined && change.op === "insert" && memory.get(refOfRow(table, change.row)) !== null) return false;
    memory.apply([change]);
    return true;
  });
}
