import type { Schema } from "@connect-hub/domain/kernel";
import { migrateSchema } from "@connect-hub/projections";
import { sqlStateOf } from "./errors.ts";
import { kyselyOver } from "./kyselyOver.ts";
import type { PostgresPool } from "./openPool.ts";

/** Two processes made the same schema or table at once: unique violation, duplicate schema, table, object. */
const madeAtOnce = new Set(["23505", "42P06", "42P07", "42710"]);

/** Brings a schema of the read tables up to date. Any number of processes may do so at once. */
export async function migrate(pool: PostgresPool, schema: Schema): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await migrateSchema(kyselyOver<unknown>(pool), schema);
      return;
    } catch (error) {
      if (attempt === 5 || !madeAtOnce.has(sqlStateOf(error) ?? "")) throw error;
    }
  }
}
