import { type ContextModel, schemaOf } from "@connect-hub/domain/kernel";
import {
  type Generation,
  GenerationRefused,
  type Generations,
  generationSchema,
  generationTables,
  type LaneCheckpoint,
  type PresentLog,
} from "@connect-hub/projections";
import { vacuumInserts } from "./autovacuum.ts";
import { checkpointColumns } from "./checkpointColumns.ts";
import { cleanGenerations } from "./cleanGenerations.ts";
import { orUnavailable, sqlStateOf } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";
import { openSnapshot } from "./openSnapshot.ts";
import { swapGenerations } from "./swapGenerations.ts";
import { inTransaction } from "./transaction.ts";

const uniqueViolation = "23505";
const columns = `number, state, facts_version as "factsVersion", made_at as "madeAt", swapped_at as "swappedAt"`;

/**
 * The generations of the read tables of one context in Postgres. A snapshot holds a connection of `pool` of its own. Who does not know the log
 * takes every checkpoint for one of it, and what the tables have for all that there is.
 */
export function pgGenerations(
  pool: PostgresPool,
  model: ContextModel,
  log: PresentLog = { has: async () => true, head: async () => 0 },
): Generations {
  const schema = schemaOf[model.context];
  const generations = `${schema}.generations`;
  const checkpointsOf = (generation: number) => `${generationSchema(schema, generation)}.checkpoints`;
  const rowsOf = <T extends object>(text: string, values: readonly unknown[] = []): Promise<T[]> =>
    orUnavailable(async () => (await pool.query<T>(text, [...values])).rows);

  return {
    list: () => rowsOf<Generation>(`select ${columns} from ${generations} order by number`),

    async make(factsVersion) {
      try {
        return await orUnavailable(() => inTransaction(pool, (client) => make(client, factsVersion)));
      } catch (error) {
        if (sqlStateOf(error) !== uniqueViolation) throw error;
        throw new GenerationRefused(`A generation of the ${model.context} is being built already`);
      }
    },

    checkpoints: (generation) =>
      rowsOf<LaneCheckpoint>(`select ${checkpointColumns} from ${checkpointsOf(generation)} order by lane`),

    async parked(generation) {
      const [found] = await rowsOf<{ n: number }>(
        `select count(*) as n from ${generationSchema(schema, generation)}.parked`,
      );
      return found?.n ?? 0;
    },

    async bytes(generation) {
      const text = `select coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 as bytes
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relkind = 'r'`;
      const [found] = await rowsOf<{ bytes: number }>(text, [generationSchema(schema, generation)]);
      return found?.bytes ?? 0;
    },

    bound(generation, at) {
      const update = (stopAt: string) =>
        `update ${checkpointsOf(generation)} set stop_at = ${stopAt} returning ${checkpointColumns}`;
      if (at === "here") return rowsOf<LaneCheckpoint>(update("n"));
      // No bound for a lane that is not named.
      return rowsOf<LaneCheckpoint>(update("($1::jsonb ->> lane)::int8"), [Object.fromEntries(at ?? [])]);
    },

    snapshot: (generation) => openSnapshot(pool, model, generation),

    swap: (to, { evenIfBehind = false } = {}) => swapGenerations(pool, { schema, to, evenIfBehind, log }),

    async giveUp(generation) {
      const text = `delete from ${generations} where number = $1 and state <> 'served' returning number`;
      const gone = await rowsOf(text, [generation]);
      if (gone.length === 0) {
        throw new GenerationRefused(
          `Generation ${generation} of the ${model.context} is not there, or it is the one that is served`,
        );
      }
    },

    clean: () => orUnavailable(() => cleanGenerations(pool, schema)),
  };

  async function make(client: { query: PostgresPool["query"] }, factsVersion: string): Promise<Generation> {
    const served = await client.query<Generation>(`select number from ${generations} where state = 'served'`);
    const insert = `insert into ${generations} (state, facts_version) values ('building', $1) returning ${columns}`;
    const { rows } = await client.query<Generation>(insert, [factsVersion]);
    const [made, former] = [rows[0], served.rows[0]];
    if (made === undefined) throw new Error("an insert returned no row");
    for (const statement of generationTables(schema, made.number)) await client.query(statement);
    await vacuumInserts(client, generationSchema(schema, made.number), false);
    if (former !== undefined) {
      await client.query(`insert into ${checkpointsOf(made.number)} (lane, n, hash, epoch, generation, facts_version)
        select lane, 0, '', epoch, ${made.number}, '' from ${checkpointsOf(former.number)}`);
    }
    return made;
  }
}
