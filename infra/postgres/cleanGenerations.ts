import { pause, type Schema } from "@connect-hub/domain/kernel";
import { generationSchema } from "@connect-hub/projections";
import { sqlStateOf } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";
import { inTransaction } from "./transaction.ts";

const undefinedTable = "42P01";
/** Projectors look each second whether their generation is still there; one that does not answer has lost its lane by then. */
const projectorsMs = 6_000;
const pollMs = 100;
const lockMs = 10_000;

/**
 * Drops the tables of all generations of a schema that were given up: those that no row of `generations` names. Waits until no
 * projector writes them, and until nobody reads them.
 */
export async function cleanGenerations(pool: PostgresPool, schema: Schema): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname ~ '^${schema}_g[0-9]+$'
      and nspname <> all (select '${generationSchema(schema, 0).slice(0, -1)}' || number from ${schema}.generations)`,
  );
  for (const { name } of rows) {
    await untilNobodyWrites(pool, name);
    await inTransaction(pool, async (client) => {
      await client.query(`set local lock_timeout = ${lockMs}`);
      await client.query("set local client_min_messages = warning");
      await client.query(`drop schema if exists ${name} cascade`);
    });
  }
}

async function untilNobodyWrites(pool: PostgresPool, name: string): Promise<void> {
  const giveUpAt = Date.now() + projectorsMs;
  const writers = `select 1 from ${name}.checkpoints where projector is not null
    and at > clock_timestamp() - interval '5 seconds'
    and exists (select 1 from pg_stat_activity where application_name = projector) limit 1`;
  try {
    while ((await pool.query(writers)).rows.length > 0 && Date.now() < giveUpAt) await pause(pollMs);
  } catch (error) {
    // Another one dropped it meanwhile.
    if (sqlStateOf(error) !== undefinedTable) throw error;
  }
}
