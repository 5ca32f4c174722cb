import { Kysely, PostgresDialect } from "kysely";
import type { PostgresPool } from "./openPool.ts";

/** Typed queries over a pool; closing it is the pool's matter. `Tables` is `AuthTables` or `ChatTables`. */
export function kyselyOver<Tables>(pool: PostgresPool): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}
