export { orUnavailable } from "./errors.ts";
export { kyselyOver } from "./kyselyOver.ts";
export { migrate } from "./migrate.ts";
export { openPool, type PoolOptions, type PostgresPool } from "./openPool.ts";
export { pgApplier } from "./pgApplier.ts";
export { pgFactSource } from "./pgFactSource.ts";
