import {
  type Checkpoint,
  type FactRef,
  type FactSource,
  type LoadedFacts,
  type ParkedMark,
  type Row,
  refOfRow,
  schemaOf,
  splitRef,
  type Table,
} from "@connect-hub/domain/kernel";
import { contextOf, type Json } from "@connect-hub/domain/values";
import { generationSchema } from "@connect-hub/projections";
import { orUnavailable } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";
import { fromPostgres, postgresTypes } from "./valueText.ts";

/**
 * Facts from the read tables in Postgres; the schemas may lie in different databases. One call is one named statement:
 * the checkpoint, the parked subjects and the rows of all tables asked for, each value as text. They are those of the served
 * generation, unless another one is named.
 */
export function pgFactSource(
  pools: { readonly [schema in Table["schema"]]: PostgresPool },
  tables: readonly Table[],
  { generation }: { readonly generation?: number } = {},
): FactSource {
  const byName = new Map(tables.map((table) => [table.name, table]));
  const statements = new Map<string, Statement>();
  return {
    async load(lane, refs) {
      const schema = schemaOf[contextOf(lane)];
      const wanted = keysByTable(byName, schema, refs);
      const asked = [...wanted.keys()];
      const from = generation === undefined ? schema : generationSchema(schema, generation);
      const name = `facts_${from}_${asked.map((table) => tables.indexOf(table)).join("_")}`;
      const statement = statements.get(name) ?? { name, text: textOf(from, asked) };
      statements.set(name, statement);
      const values: unknown[] = [
        lane,
        ...[...wanted].flatMap(([table, keys]) => table.key.map((_, index) => keys.map((key) => key[index]))),
      ];
      const query = { ...statement, values, rowMode: "array" as const };
      const { rows } = await orUnavailable(() => pools[schema].query<(string | null)[]>(query));
      return collect(rows, asked, refs);
    },
  };
}

interface Statement {
  readonly name: string;
  readonly text: string;
}

/** The keys asked for of each table, tables in the order of their names, so that a set of tables has one statement. */
function keysByTable(
  byName: ReadonlyMap<string, Table>,
  schema: string,
  refs: readonly FactRef[],
): ReadonlyMap<Table, string[][]> {
  const keys = new Map<Table, string[][]>();
  for (const ref of refs) {
    const { table: name, key } = splitRef(ref);
    const table = byName.get(name);
    if (table?.schema !== schema) throw new Error(`there is no read table "${name}" in ${schema}`);
    const same = keys.get(table);
    if (same) same.push(key);
    else keys.set(table, [key]);
  }
  return new Map([...keys].sort(([a], [b]) => (a.name < b.name ? -1 : 1)));
}

const checkpointColumns = ["n::text", "hash", "epoch", "generation::text", "facts_version"];
const parkedColumns = ["kind", "id", "from_n::text", "type", "reason", "retry::text"];

/** The parts of the union have as many columns as the widest of them. */
function textOf(schema: string, tables: readonly Table[]): string {
  const width = Math.max(parkedColumns.length, ...tables.map((table) => Object.keys(table.columns).length));
  const padded = (columns: readonly string[]) =>
    [...columns, ...Array.from({ length: width - columns.length }, () => "null::text")].join(", ");
  let parameters = 1;
  const parts = tables.map((table, part) => {
    const arrays = table.key.map((column) => `$${++parameters}::${postgresTypes[table.columns[column] ?? "text"]}[]`);
    const columns = Object.keys(table.columns).map((column) => `t."${column}"::text`);
    const keys = table.key.map((column) => `"${column}"`).join(", ");
    const same = table.key.map((column) => `t."${column}" = k."${column}"`).join(" and ");
    const from = `${schema}.${table.name} t join unnest(${arrays.join(", ")}) as k(${keys}) on ${same}`;
    return `select ${part}, ${padded(columns)} from ${from}`;
  });
  return [
    `select -1, ${padded(checkpointColumns)} from ${schema}.checkpoints where lane = $1`,
    `select -2, ${padded(parkedColumns)} from ${schema}.parked where lane = $1`,
    ...parts,
  ].join(" union all ");
}

function collect(
  found: readonly (readonly (string | number | null)[])[],
  tables: readonly Table[],
  refs: readonly FactRef[],
): LoadedFacts {
  const rows = new Map<FactRef, Row | null>();
  for (const ref of refs) rows.set(ref, null);
  const parked: ParkedMark[] = [];
  let checkpoint: Checkpoint = { n: 0, hash: "", epoch: "", generation: 0, factsVersion: "" };
  for (const [part, ...texts] of found) {
    const values = texts.map((text) => (text === null ? null : String(text)));
    const table = tables[Number(part)];
    if (Number(part) === -2) parked.push(markOf(values));
    else if (table === undefined) checkpoint = checkpointOf(values);
    else {
      const row = rowOf(table, values);
      rows.set(refOfRow(table, row), row);
    }
  }
  return { checkpoint, rows, parked };
}

function markOf([kind, id, from, type, reason, retry]: readonly (string | null)[]): ParkedMark {
  const subject = { kind: kind as ParkedMark["kind"], id: id ?? "" };
  return { ...subject, from: Number(from), type: type ?? "", reason: reason ?? "", retry: retry === "true" };
}

function checkpointOf([n, hash, epoch, generation, factsVersion]: readonly (string | null)[]): Checkpoint {
  return {
    n: Number(n),
    hash: hash ?? "",
    epoch: epoch ?? "",
    generation: Number(generation),
    factsVersion: factsVersion ?? "",
  };
}

function rowOf(table: Table, values: readonly (string | null)[]): Row {
  const row: Record<string, Json> = {};
  Object.entries(table.columns).forEach(([column, type], index) => {
    row[column] = fromPostgres(values[index] ?? null, type);
  });
  return row;
}
