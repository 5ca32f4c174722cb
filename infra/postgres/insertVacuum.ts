import { orUnavailable } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";

/**
 * Has autovacuum leave alone tables of a schema that only get rows, or treat them as any other: while they are filled it would read over and over what
 * nobody reads yet, with the disk and a processor that the filling wants. What is changed or deleted it cleans up in either case.
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
  const setting = "autovacuum_vacuum_insert_threshold";
  const change = wanted ? `reset (${setting})` : `set (${setting} = -1)`;
  for (const { table } of rows) await orUnavailable(() => client.query(`alter table ${table} ${change}`));
}
