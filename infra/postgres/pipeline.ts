import type { Connection, PoolClient, Submittable } from "pg";
import { PipelineFailed } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";

/** One statement of a pipeline. */
export interface PipelineStep {
  readonly text: string;
  /** Its parameters in text form. */
  readonly values?: readonly (string | null)[];
  /** For COPY … FROM STDIN: what to copy. */
  readonly copy?: Buffer;
}

/**
 * Runs the steps as one transaction in one round trip: Parse, Bind, Execute (and the data of a COPY) of each, and one
 * Sync behind them. All of them happen or none. Throws `PipelineFailed`, or what connecting throws.
 *
 * Measured against BEGIN … COMMIT with a round trip each: half the time and half the CPU for small batches; COPY in it
 * is never slower than unnest, not even for one row.
 */
export async function runPipeline(pool: PostgresPool, steps: readonly PipelineStep[]): Promise<void> {
  const client = await pool.connect();
  try {
    await new Promise<void>((resolve, reject) => {
      client.query(new Pipeline(client, steps, (error) => (error ? reject(error) : resolve())));
    });
    client.release();
  } catch (error) {
    // Which statements the server still knows is unclear after an error.
    client.release(true);
    throw error;
  }
}

/** What `pg` calls on the query under way, as its own copy streams do. */
class Pipeline implements Submittable {
  /** `pg` puts its time-out around this. */
  callback: (error?: Error | null) => void;
  readonly #prepared: Set<string>;
  readonly #steps: readonly PipelineStep[];
  #done = 0;

  constructor(client: PoolClient, steps: readonly PipelineStep[], callback: (error?: Error | null) => void) {
    this.#steps = steps;
    this.callback = callback;
    this.#prepared = preparedOf(client);
  }

  submit(connection: Connection): void {
    const { stream } = connection;
    stream.cork();
    for (const { text, values = [], copy } of this.#steps) {
      const name = nameOf(text);
      if (!this.#prepared.has(name)) connection.parse({ name, text, types: [] }, true);
      this.#prepared.add(name);
      connection.bind({ statement: name, values: [...values] }, true);
      connection.execute(null, true);
      if (copy !== undefined) {
        stream.write(copyHeader(copy.length));
        stream.write(copy);
        stream.write(copyDone);
      }
    }
    connection.sync();
    stream.uncork();
  }

  handleCommandComplete(): void {
    this.#done += 1;
  }

  handleError(error: unknown): void {
    this.callback(new PipelineFailed(this.#done, error));
  }

  handleReadyForQuery(): void {
    this.callback();
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCopyInResponse(): void {}
}

// The messages of a COPY: https://www.postgresql.org/docs/current/protocol-message-formats.html
const copyDone = Buffer.from([0x63, 0, 0, 0, 4]);

function copyHeader(bytes: number): Buffer {
  const header = Buffer.from([0x64, 0, 0, 0, 0]);
  header.writeUInt32BE(bytes + 4, 1);
  return header;
}

/** Names are short, since the server cuts them at 63 bytes; the same text has the same name in all connections. */
const names = new Map<string, string>();

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `p${names.size}`;
  names.set(text, name);
  return name;
}

const preparedByClient = new WeakMap<PoolClient, Set<string>>();

function preparedOf(client: PoolClient): Set<string> {
  const known = preparedByClient.get(client);
  if (known !== undefined) return known;
  const prepared = new Set<string>();
  preparedByClient.set(client, prepared);
  return prepared;
}
