import pg from "pg";
import { isoInstant } from "./valueText.ts";

/** Connections to one database. */
export type PostgresPool = pg.Pool;

export interface PoolOptions {
  /** What operators see in `pg_stat_activity`. */
  readonly name: string;
  /** Connections at most. 4 if left out. */
  readonly max?: number;
  /** The server ends a statement after so long. 10,000 if left out. */
  readonly statementTimeoutMs?: number;
  /** How long a connection is waited for. 5,000 if left out. */
  readonly connectTimeoutMs?: number;
  /**
   * For connections that only ever reach rows by key. Their plans are made once, and never scan a table: a plan made
   * while a table was small would stay after it has grown.
   */
  readonly byKeyOnly?: boolean;
  /** Told when an idle connection breaks; the pool makes a new one by itself. */
  onTrouble?(error: Error): void;
}

const byKeyOnlySettings = [
  "plan_cache_mode=force_generic_plan",
  "enable_seqscan=off",
  "enable_hashjoin=off",
  "enable_mergejoin=off",
];
const int8 = 20;
const timestamptz = 1184;
/** The client gives up this much later than the server should have. */
const graceMs = 2_000;

/**
 * Connections to the database at `url`, made when they are needed. int8 comes as a number, timestamptz as an ISO string
 * with milliseconds. A broken connection is an error of the statement that meets it and never ends the process.
 */
export function openPool(url: string, options: PoolOptions): PostgresPool {
  const statementTimeoutMs = options.statementTimeoutMs ?? 10_000;
  const settings = ["timezone=UTC", ...(options.byKeyOnly ? byKeyOnlySettings : [])];
  const pool = new pg.Pool({
    connectionString: url,
    application_name: options.name,
    max: options.max ?? 4,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + graceMs,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    options: settings.map((setting) => `-c ${setting}`).join(" "),
    types: { getTypeParser },
  });
  // An `error` event that nobody hears ends the process; whoever uses the connection hears of it by its statement.
  pool.on("connect", (client) => void client.on("error", () => undefined));
  pool.on("error", (error) => options.onTrouble?.(error));
  return pool;
}

const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: "text" | "binary") => {
  if (oid === int8) return Number;
  if (oid === timestamptz) return isoInstant;
  return pg.types.getTypeParser(oid, format as "text");
};
