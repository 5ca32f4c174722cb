import { orUnavailable } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";

/** Of all tables that are filled, by their names in Postgres; there is no word for never. */
const settings = { autovacuum_vacuum_insert_threshold: "-1", autovacuum_analyze_threshold: "2147483647" };

/**
 * Has autovacuum leave alone what is inserted into the tables of a schema, or treat them as any others: while they are filled it would
 * read over and over what nobody reads yet. What is changed or deleted it cleans up in either case.
 */
export async function vacuumInserts(
  client: Pick<PostgresPool, "query">,
  schema: string,
  wanted: boolean,
): Promise<void> {
  const { rows } = await orUnavailable(() =>
    client.query<{ table: string }>(
      `select format('%I.%I', n.nspname, c.relname) as table
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relkind = 'r'`,
      [schema],
    ),
  );
  const set = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const change = wanted ? `reset (${Object.keys(settings)})` : `set (${set})`;
  for (const { table } of rows) await orUnavailable(() => client.query(`alter table ${table} ${change}`));
}
