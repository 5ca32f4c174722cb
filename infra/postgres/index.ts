export { emptyTables } from "./emptyTables.ts";
export { orUnavailable } from "./errors.ts";
export { kyselyOver } from "./kyselyOver.ts";
export { migrate } from "./migrate.ts";
export { openPool, type PoolOptions, type PostgresPool } from "./openPool.ts";
export { openSnapshot } from "./openSnapshot.ts";
export { pgApplier } from "./pgApplier.ts";
export { pgFactSource } from "./pgFactSource.ts";
export { pgGenerations } from "./pgGenerations.ts";
