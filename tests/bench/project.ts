import {
  type Checkpoint,
  encodeCommit,
  encodeEntry,
  hashCommit,
  type Lane,
  sealEvent,
  type Vault,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool } from "@connect-hub/postgres";
import { readProjectorConfig, startProjectors } from "@connect-hub/projector";
import { openVault } from "@connect-hub/vault";
import { type FreshBox, freshBox } from "../support/freshBox.ts";
import { type BareCopy, bareCopy } from "./bareCopy.ts";
import { alternate, type Bench, benchServers, partOf, round } from "./bench.ts";
import { idOf, text } from "./senders.ts";

const rooms = 100;
const messages = 100_000;
const perCommit = 20;
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
    await fill(lane, vault);
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

/** Appends rooms and messages as their writer would, without deciding anything. */
async function fill(lane: Lane, vault: Vault): Promise<void> {
  const people = Array.from({ length: rooms }, (_, index) => ({
    room: idOf("room", index),
    owner: idOf("owner", index),
  }));
  await vault.named(people.map(({ room, owner }) => `body:${room}:${owner}`));
  const keyOf = (name: string) => {
    const key = vault.cached(name);
    if (key === undefined) throw new Error(`no key ${name}`);
    return key;
  };
  let n = 0;
  let prevHash = "";
  const append = async (entries: readonly string[]): Promise<void> => {
    n += 1;
    const at = new Date(Date.parse("2026-01-01") + n).toISOString();
    const bytes = encodeCommit(
      { lane: lane.id, epoch: lane.epoch, n, term: 1, writer: "bench", prevHash, at },
      entries,
    );
    if ((await lane.append(bytes, n - 1)) !== "stored") throw new Error(`commit ${n} was not stored`);
    prevHash = hashCommit(bytes);
  };
  const entryOf = (
    index: number,
    room: string,
    owner: string,
    event: { type: string; s: number; m?: number; data: object },
  ) =>
    encodeEntry({
      key: { actor: owner, id: idOf(event.type, index) },
      kind: "postMessage",
      digest: "0".repeat(64),
      result: { room, s: event.s },
      events: [
        sealEvent(
          { ...event, subject: { kind: "room", id: room }, by: owner, data: { ...event.data } },
          roomModel,
          keyOf,
        ),
      ],
    });
  await append([]);
  for (const [index, { room, owner }] of people.entries()) {
    const data = { type: "group", name: `room ${index}`, members: [{ user: owner, role: "owner" }] };
    await append([entryOf(index, room, owner, { type: "RoomCreated.v1", s: 1, data })]);
  }
  for (let first = 0; first < messages; first += perCommit) {
    const entries = Array.from({ length: perCommit }, (_, k) => {
      const index = first + k;
      const { room, owner } = people[index % rooms] as (typeof people)[number];
      const m = Math.floor(index / rooms) + 1;
      return entryOf(index, room, owner, { type: "MessagePosted.v1", s: m + 1, m, data: { body: { text } } });
    });
    await append(entries);
  }
}
