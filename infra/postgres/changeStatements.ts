import type { Row, Table } from "@connect-hub/domain/kernel";
import type { Json } from "@connect-hub/domain/values";
import type { FoldedTable, FoldStep, NetEffect } from "@connect-hub/projections";
import { copyText } from "./copyText.ts";
import type { PipelineStep } from "./pipeline.ts";
import { arrayText, postgresTypes, toPostgres } from "./valueText.ts";

/**
 * The statements that apply what was folded for one table. `copyNew`: rows of tables whose inserts are new are copied
 * in, which fails where one is there already; without it they pass over such rows, as a change says.
 */
export function changeStatements({ table, steps }: FoldedTable, { schema, copyNew }: ChangeOptions): PipelineStep[] {
  const copies = copyNew && table.insertsAreNew;
  const target = { table, name: `${schema}.${table.name}` };
  return steps.flatMap((step) => statementsOfStep(target, step, copies));
}

interface ChangeOptions {
  /** The schema of the generation that is written. */
  readonly schema: string;
  readonly copyNew: boolean;
}

/** A table in the generation that is written. */
interface Target {
  readonly table: Table;
  readonly name: string;
}

function statementsOfStep(target: Target, step: FoldStep, copies: boolean): PipelineStep[] {
  if (step.kind === "deleteWhere") return [deleteWhere(target, step.column, step.values)];
  if (step.kind === "inserts") return [copies ? copyRows(target, step.rows) : insertRows(target, step.rows)];
  const deleted: NetEffect[] = [];
  const updated = new Map<string, Update[]>();
  const inserted: Row[] = [];
  for (const effect of step.effects) {
    const { ifAbsent, ifPresent } = effect;
    if (ifPresent.to !== "update") deleted.push(effect);
    // With `copies` a row that is inserted was not there, so there is nothing to update.
    else if (ifAbsent === null || !copies) addUpdate(updated, effect.key, ifPresent);
    if (ifAbsent !== null) inserted.push(ifAbsent);
  }
  const statements = [...updated.values()].map((updates) => updateRows(target, updates));
  // Deleted first, so that a replaced row can come in again; inserted last, so that they meet the rows updated.
  if (deleted.length > 0) statements.unshift(deleteRows(target, deleted));
  if (inserted.length > 0) statements.push(copies ? copyRows(target, inserted) : insertRows(target, inserted));
  return statements;
}

interface Update {
  readonly key: readonly string[];
  readonly set: Row;
  readonly add: { readonly [column: string]: number };
}

/** One statement per shape: the columns set and the columns added to. */
function addUpdate(updates: Map<string, Update[]>, key: readonly string[], { set, add }: Omit<Update, "key">): void {
  const shape = `${Object.keys(set).sort()}|${Object.keys(add).sort()}`;
  if (shape === "|") return;
  const same = updates.get(shape);
  if (same) same.push({ key, set, add });
  else updates.set(shape, [{ key, set, add }]);
}

function updateRows({ table, name }: Target, updates: readonly Update[]): PipelineStep {
  const { set = {}, add = {} } = updates[0] ?? {};
  const [sets, adds] = [Object.keys(set).sort(), Object.keys(add).sort()];
  const assignments = [
    ...sets.map((column) => `"${column}" = v."set_${column}"`),
    ...adds.map((column) => `"${column}" = coalesce(t."${column}", 0) + v."add_${column}"`),
  ];
  const arrays = [
    ...keyArrays(
      table,
      updates.map(({ key }) => key),
    ),
    ...sets.map((column) =>
      arrayOf(
        table,
        column,
        updates.map((update) => update.set[column]),
        "set_",
      ),
    ),
    ...adds.map((column) =>
      arrayOf(
        table,
        column,
        updates.map((update) => update.add[column]),
        "add_",
      ),
    ),
  ];
  const { from, values } = unnest(arrays);
  return {
    text: `update ${name} t set ${assignments.join(", ")} from ${from} where ${sameKey(table)}`,
    values,
  };
}

function deleteRows({ table, name }: Target, effects: readonly NetEffect[]): PipelineStep {
  const { from, values } = unnest(
    keyArrays(
      table,
      effects.map(({ key }) => key),
    ),
  );
  return { text: `delete from ${name} t using ${from} where ${sameKey(table)}`, values };
}

function insertRows({ table, name }: Target, rows: readonly Row[]): PipelineStep {
  const columns = Object.keys(table.columns);
  const { from, values } = unnest(
    columns.map((column) =>
      arrayOf(
        table,
        column,
        rows.map((row) => row[column]),
      ),
    ),
  );
  return {
    text: `insert into ${name} (${quoted(columns)}) select ${quoted(columns)} from ${from} on conflict do nothing`,
    values,
  };
}

function copyRows({ table, name }: Target, rows: readonly Row[]): PipelineStep {
  const text = `copy ${name} (${quoted(Object.keys(table.columns))}) from stdin`;
  return { text, copy: copyText(table, rows) };
}

function deleteWhere({ table, name }: Target, column: string, wanted: readonly string[]): PipelineStep {
  const { type, text } = arrayOf(table, column, wanted);
  return { text: `delete from ${name} where "${column}" = any($1::${type}[])`, values: [text] };
}

interface ColumnArray {
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

function arrayOf(table: Table, column: string, values: readonly (Json | undefined)[], prefix = ""): ColumnArray {
  const type = table.columns[column];
  if (type === undefined) throw new Error(`the read table "${table.name}" has no column "${column}"`);
  const texts = values.map((value) => toPostgres(value, type));
  return { name: `${prefix}${column}`, type: postgresTypes[type], text: arrayText(texts) };
}

function keyArrays(table: Table, keys: readonly (readonly string[])[]): ColumnArray[] {
  return table.key.map((column, index) =>
    arrayOf(
      table,
      column,
      keys.map((key) => key[index]),
    ),
  );
}

function unnest(arrays: readonly ColumnArray[]): { from: string; values: string[] } {
  const parameters = arrays.map(({ type }, index) => `$${index + 1}::${type}[]`);
  const from = `unnest(${parameters.join(", ")}) as v(${quoted(arrays.map(({ name }) => name))})`;
  return { from, values: arrays.map(({ text }) => text) };
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");
const sameKey = (table: Table): string => table.key.map((column) => `t."${column}" = v."${column}"`).join(" and ");
