import type { PoolClient } from "pg";
import type { PostgresPool } from "./openPool.ts";

/** Runs `work` in one transaction of one connection; what it throws undoes all of it. */
export async function inTransaction<T>(pool: PostgresPool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const result = await work(client);
    await client.query("commit");
    client.release();
    return result;
  } catch (error) {
    await client.query("rollback").then(
      () => client.release(),
      () => client.release(true),
    );
    throw error;
  }
}
