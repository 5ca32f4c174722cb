import { type ContextModel, schemaOf } from "@connect-hub/domain/kernel";
import { orUnavailable, sqlStateOf } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";

const deadlock = "40P01";
const attempts = 5;

/**
 * Empties the read tables of a context and sets the checkpoints of its lanes to 0 in their next generation, in one
 * transaction: a projector at work finds that out and fills them again from the log.
 */
export async function emptyTables(pool: PostgresPool, model: ContextModel): Promise<void> {
  const schema = schemaOf[model.context];
  const { rows } = await orUnavailable(() =>
    pool.query(`select number from ${schema}.generations where state = 'served'`),
  );
  const tables = model.tables.map(({ name }) => `${schema}_g${rows[0].number}.${name}`);
  // The checkpoints first, as in a projector's transaction, so that the two wait for each other in one order.
  const statements = `
    update ${schema}.checkpoints
    set n = 0, hash = '', facts_version = '', generation = generation + 1, halted = null, at = clock_timestamp();
    truncate ${tables.join(", ")}`;
  for (let attempt = 1; ; attempt++) {
    try {
      await orUnavailable(() => pool.query(statements));
      return;
    } catch (error) {
      // A reader of several tables came between: one of the two had to give way.
      const state = error instanceof Error ? sqlStateOf(error.cause) : undefined;
      if (state !== deadlock || attempt === attempts) throw error;
    }
  }
}
