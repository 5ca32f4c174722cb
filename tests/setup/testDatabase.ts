import { randomBytes } from "node:crypto";
import { openPool, type PostgresPool } from "@connect-hub/postgres";

/** A database of a test file's own. */
export interface TestDatabase {
  readonly url: string;
  /** Drops it, whoever is connected. */
  drop(): Promise<void>;
}

/** Makes an empty database on the server at `serverUrl` (its superuser). */
export async function makeTestDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `t_${randomBytes(6).toString("hex")}`;
  await asSuperuser(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => asSuperuser(serverUrl, `drop database ${name} with (force)`) };
}

async function asSuperuser(serverUrl: string, statement: string): Promise<void> {
  const pool = openPool(serverUrl, { name: "tests", max: 1, statementTimeoutMs: 30_000 });
  try {
    await pool.query(statement);
  } finally {
    await pool.end();
  }
}

/** A pool for adapters that take one and may not import `infra/postgres`. */
export function openTestPool(url: string): PostgresPool {
  return openPool(url, { name: "test" });
}
