import { type ContextModel, type Row, schemaOf, type Table } from "@connect-hub/domain/kernel";
import type { LaneCheckpoint, TablesSnapshot } from "@connect-hub/projections";
import type { PoolClient } from "pg";
import { checkpointColumns } from "./checkpointColumns.ts";
import { orUnavailable } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";

const rowsAtATime = 2_000;

/** Opens a snapshot of a context's read tables; it holds one connection until it is closed. */
export async function openSnapshot(pool: PostgresPool, model: ContextModel): Promise<TablesSnapshot> {
  const client = await orUnavailable(() => pool.connect());
  try {
    const checkpoints = await orUnavailable(() => begin(client, schemaOf[model.context]));
    return {
      checkpoints,
      rows: (table) => rowsOf(client, table),
      async close() {
        await client.query("rollback").finally(() => client.release());
      },
    };
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function begin(client: PoolClient, schema: string): Promise<LaneCheckpoint[]> {
  await client.query("begin isolation level repeatable read read only");
  // Between two reads somebody may fold a whole log.
  await client.query("set local idle_in_transaction_session_timeout = 0");
  const { rows } = await client.query<LaneCheckpoint>(
    `select ${checkpointColumns} from ${schema}.checkpoints order by lane`,
  );
  return rows;
}

async function* rowsOf(client: PoolClient, table: Table): AsyncGenerator<readonly Row[]> {
  const columns = Object.keys(table.columns).map((column) => `"${column}"`);
  const key = table.key.map((column) => `"${column}"`);
  const select = `select ${columns.join(", ")} from ${table.schema}.${table.name} order by ${key.join(", ")}`;
  const cursor = `rows_of_${table.name}`;
  await orUnavailable(() => client.query(`declare ${cursor} no scroll cursor for ${select}`));
  try {
    for (;;) {
      const { rows } = await orUnavailable(() => client.query<Row>(`fetch ${rowsAtATime} from ${cursor}`));
      if (rows.length > 0) yield rows;
      if (rows.length < rowsAtATime) break;
    }
  } finally {
    // After an error the transaction is over, and the cursor with it.
    await client.query(`close ${cursor}`).catch(() => undefined);
  }
}
