import type { Checkpoint, Lane } from "@connect-hub/domain/kernel";
import { openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool } from "@connect-hub/postgres";
import { readProjectorConfig, startProjectors } from "@connect-hub/projector";
import { openVault } from "@connect-hub/vault";
import { type FreshBox, freshBox } from "../support/freshBox.ts";
import { type BareCopy, bareCopy } from "./bareCopy.ts";
import { alternate, type Bench, benchServers, partOf, round } from "./bench.ts";
import { roomLog } from "./roomLog.ts";

const messages = 100_000;
const pairs = 5;

/** Catching up with a lane of 100,000 messages, against a bare loop that reads it, parses it and copies the same rows. */
export const project: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const pool = openPool(box.databaseUrl, { name: "bench", max: 4, statementTimeoutMs: 120_000 });
  try {
    const vault = await openVault({ db: pool, rootFile: String(box.env.HUB_VAULT_ROOT) });
    const lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
    say(`writing ${messages} messages …`);
    await (await roomLog(lane, vault)).append(messages);
    const head = await lane.lastNumber();
    const bare = await bareCopy(pool);
    const rates = await alternate(pairs, say, {
      ours: () => oursOnce(box, pool, head),
      bare: () => bareOnce(bare, lane, head),
    });
    const rows = await pool.query<{ n: number }>("select count(*) as n from chat.messages where type = 'message'");
    if (rows.rows[0]?.n !== messages) throw new Error(`${rows.rows[0]?.n} of ${messages} messages were projected`);
    return [partOf("project", { ours: rates.ours, ceiling: rates.bare }, 0.7, { unit: "messages/s", commits: head })];
  } finally {
    await pool.end();
    await box.close();
    await servers.close();
  }
};

/** Messages per second from empty tables to the head, by the projector app in this process. */
async function oursOnce(box: FreshBox, pool: PostgresPool, head: number): Promise<number> {
  const tables = ["rooms", "memberships", "user_rooms", "messages", "room_events", "room_commands", "checkpoints"];
  await pool.query(`truncate ${tables.map((table) => `chat_g1.${table}`).join(", ")}`);
  const projector = await startProjectors(readProjectorConfig(box.env));
  // It is connected now and has the log before it, as the bare loop when its time begins.
  const startedAt = performance.now();
  for (;;) {
    const { rows } = await pool.query<Pick<Checkpoint, "n">>("select n from chat.checkpoints where lane = 'rooms.0'");
    if ((rows[0]?.n ?? 0) >= head) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await projector.close();
  return round(messages / seconds);
}

async function bareOnce(bare: BareCopy, lane: Lane, head: number): Promise<number> {
  await bare.empty();
  const startedAt = performance.now();
  await bare.run(lane, head);
  return round(messages / ((performance.now() - startedAt) / 1_000));
}
