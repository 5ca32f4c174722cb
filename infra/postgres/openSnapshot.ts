import { type ContextModel, type Row, schemaOf, type Table } from "@connect-hub/domain/kernel";
import { generationSchema, type LaneCheckpoint, type TablesSnapshot } from "@connect-hub/projections";
import type { PoolClient } from "pg";
import { checkpointColumns } from "./checkpointColumns.ts";
import { orUnavailable } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";

const rowsAtATime = 2_000;

/**
 * Opens a snapshot of a context's read tables, of the generation that is served unless another one is named; it holds one
 * connection until it is closed. A swap does not wait for it, dropping its generation does.
 */
export async function openSnapshot(
  pool: PostgresPool,
  model: ContextModel,
  generation?: number,
): Promise<TablesSnapshot> {
  const client = await orUnavailable(() => pool.connect());
  try {
    const { schema, checkpoints } = await orUnavailable(() => begin(client, model, generation));
    return {
      checkpoints,
      rows: (table) => rowsOf(client, table, schema),
      async count({ name }) {
        const sql = `select count(*) as n from ${schema}.${name}`;
        return (await orUnavailable(() => client.query<{ n: number }>(sql))).rows[0]?.n ?? 0;
      },
      async close() {
        await client.query("rollback").finally(() => client.release());
      },
    };
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function begin(
  client: PoolClient,
  { context, tables }: ContextModel,
  generation: number | undefined,
): Promise<{ readonly schema: string; readonly checkpoints: LaneCheckpoint[] }> {
  await client.query("begin isolation level repeatable read read only");
  // Between two reads somebody may fold a whole log.
  await client.query("set local idle_in_transaction_session_timeout = 0");
  const served = `select number from ${schemaOf[context]}.generations where state = 'served'`;
  const number = generation ?? (await client.query<{ number: number }>(served)).rows[0]?.number ?? 0;
  const schema = generationSchema(schemaOf[context], number);
  const names = tables.map(({ name }) => `${schema}.${name}`);
  await client.query(`lock table ${names.join(", ")} in access share mode`);
  const { rows } = await client.query<LaneCheckpoint>(
    `select ${checkpointColumns} from ${schema}.checkpoints order by lane`,
  );
  return { schema, checkpoints: rows };
}

async function* rowsOf(client: PoolClient, table: Table, schema: string): AsyncGenerator<readonly Row[]> {
  const columns = Object.keys(table.columns).map((column) => `"${column}"`);
  const key = table.key.map((column) => `"${column}"`);
  const select = `select ${columns.join(", ")} from ${schema}.${table.name} order by ${key.join(", ")}`;
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
