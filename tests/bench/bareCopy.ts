import { once } from "node:events";
import { type Envelope, type Lane, unseal, type VaultKey } from "@connect-hub/domain/kernel";
import type { PostgresPool } from "@connect-hub/postgres";
import { from as copyFrom } from "pg-copy-streams";
import { text } from "./senders.ts";

/** A loop that knows nothing of the domain: reads commits, parses them, copies rows, moves a checkpoint. */
export interface BareCopy {
  empty(): Promise<void>;
  run(lane: Lane, head: number): Promise<void>;
}

/** One commit as JSON says it is. */
interface Parsed {
  readonly at: string;
  readonly n: number;
  readonly entries: readonly {
    readonly key: { readonly actor: string; readonly id: string };
    readonly kind: string;
    readonly digest: string;
    readonly result: unknown;
    readonly events: readonly {
      readonly type: string;
      readonly subject: { readonly id: string };
      readonly s: number;
      readonly m?: number;
      readonly by: string;
      readonly data: { readonly body?: Envelope };
    }[];
  }[];
}

const tables = ["messages", "room_events", "room_commands"] as const;
const rowsPerBatch = 2_000;

/**
 * Tables of the same shape as those of the first generation, with the same indexes, in a schema of its own. With `keys`, those of
 * the vault by id, it opens the texts that its rows need; without, it writes a text that it knows.
 */
export async function bareCopy(pool: PostgresPool, keys?: ReadonlyMap<string, VaultKey>): Promise<BareCopy> {
  await pool.query("create schema bare");
  // Nobody cleans up behind it, nor beside ours.
  const settings = "with (autovacuum_enabled = false)";
  for (const table of tables) {
    await pool.query(`create table bare.${table} (like chat_g1.${table} including all) ${settings}`);
  }
  await pool.query("create table bare.checkpoints (lane text primary key, n bigint)");
  return {
    async empty() {
      await pool.query(`truncate ${[...tables, "checkpoints"].map((table) => `bare.${table}`).join(", ")}`);
      await pool.query("insert into bare.checkpoints values ('rooms.0', 0)");
    },
    run: (lane, head) => run(pool, lane, { head, keys }),
  };
}

interface Run {
  readonly head: number;
  readonly keys: ReadonlyMap<string, VaultKey> | undefined;
}

async function run(pool: PostgresPool, lane: Lane, { head, keys }: Run): Promise<void> {
  const stop = new AbortController();
  let commits: Parsed[] = [];
  let entries = 0;
  let writing: Promise<void> = Promise.resolve();
  // While one batch is being written the next one is read and parsed.
  const flush = async (): Promise<void> => {
    await writing;
    writing = write(pool, commits, keys);
    commits = [];
    entries = 0;
  };
  for await (const batch of lane.read(1, stop.signal)) {
    for (const { bytes, n } of batch) {
      const commit = JSON.parse(Buffer.from(bytes).toString()) as Parsed;
      commits.push(commit);
      entries += commit.entries.length;
      if (entries >= rowsPerBatch) await flush();
      if (n === head) stop.abort();
    }
  }
  await flush();
  await writing;
}

async function write(pool: PostgresPool, commits: readonly Parsed[], keys: Run["keys"]): Promise<void> {
  const last = commits.at(-1);
  if (last === undefined) return;
  const rows = { messages: "", room_events: "", room_commands: "" };
  for (const { at, n, entries } of commits) {
    for (const { key, kind, digest, result, events } of entries) {
      rows.room_commands += `rooms.0\t${key.actor}\t${key.id}\t${kind}\t${digest}\t${JSON.stringify(result)}\t${n}\n`;
      for (const { type, subject, s, m, by, data: stored } of events) {
        const key = keys?.get(stored.body?.k ?? "");
        const place = `${type}|room|${subject.id}|body`;
        const opened = key && stored.body ? (unseal(stored.body, key, place) as { text: string }).text : text;
        const data = JSON.stringify({ text: opened, edits: [] });
        rows.messages += `${subject.id}:${s}\t${subject.id}\t${s}\t${m ?? "\\N"}\t${data}\t${at}\t${by}\tmessage\tsent\n`;
        rows.room_events += `${subject.id}\t${s}\tmessagePosted\t${JSON.stringify({ text: opened })}\t${at}\t${by}\n`;
      }
    }
  }
  const client = await pool.connect();
  try {
    await client.query("begin");
    for (const table of tables) {
      const stream = client.query(copyFrom(`copy bare.${table} (${columns[table]}) from stdin`));
      stream.end(rows[table]);
      await once(stream, "finish");
    }
    await client.query("update bare.checkpoints set n = $1", [last.n]);
    await client.query("commit");
  } finally {
    client.release();
  }
}

const columns = {
  messages: "id, room_id, s, m, data, sent_at, sent_by, type, status",
  room_events: 'room_id, s, type, data, at, "by"',
  room_commands: "lane, actor, id, kind, digest, result, n",
};
