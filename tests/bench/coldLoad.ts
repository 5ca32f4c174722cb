import { type FactSource, type Lane, subjects, takeOver } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, RoomTalk, seededRandom } from "@connect-hub/domain/testing";
import { commandSender, openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool } from "@connect-hub/postgres";
import { openVault } from "@connect-hub/vault";
import { type FreshBox, freshBox } from "../support/freshBox.ts";
import { startApps } from "./appProcess.ts";
import { type Bench, benchServers, median, type Part, round } from "./bench.ts";
import { commandOf, idOf, text } from "./senders.ts";

const pairs = 5;
const big = { room: idOf("room", 1), people: 1_000, messages: 100_000 };
const small = { room: idOf("room", 2), people: 2, messages: 10 };
const perCommit = 20;
/** So many events is the most that a writer lets the read tables be behind. */
const tailEvents = 200_000;
const takeOvers = 3;

/**
 * The first post after a restart of `commands` into a room with a long past, against one into a small room; and how long it takes to take
 * a lane over whose tail is at its bound.
 */
export const coldLoad: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const pool = openPool(box.databaseUrl, { name: "bench", max: 2 });
  try {
    const fill = await filler(box, pool);
    say(`writing ${big.messages} messages …`);
    for (const one of [small, big]) await fill.room(one);
    const projector = await startApps(["projector"], box.env);
    await projected(pool, await fill.lane.lastNumber());
    const ms = { small: [] as number[], big: [] as number[] };
    for (let pair = 1; pair <= pairs; pair++) {
      ms.small.push(await firstPost(box, small.room));
      ms.big.push(await firstPost(box, big.room));
      say(`${pair}/${pairs} small: ${round(ms.small.at(-1) ?? 0)} ms, big: ${round(ms.big.at(-1) ?? 0)} ms`);
    }
    await projector.close();
    const ratios = ms.big.map((one, pair) => one / (ms.small[pair] ?? Number.NaN));
    const ratio = round(median(ratios), 3);
    const [ours, ceiling] = [round(median(ms.big)), round(median(ms.small))];
    const first = { name: "cold-load: a large room, ms", ours, ceiling, ratio, target: 2, ok: ratio <= 2 };
    return [first, await fullTail(servers, say)];
  } finally {
    await pool.end();
    await box.close();
    await servers.close();
  }
};

interface Filler {
  readonly lane: Lane;
  room(one: typeof big): Promise<void>;
  takeOver(writer: string): Promise<number>;
}

/** Appends what a writer would, without deciding anything. */
async function filler(box: FreshBox, pool: PostgresPool): Promise<Filler> {
  const vault = await openVault({ db: pool, rootFile: String(box.env.HUB_VAULT_ROOT) });
  const lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  const builder = new LogBuilder({ lane: lane.id, epoch: lane.epoch, model: roomModel, vault });
  const talk = new RoomTalk(seededRandom(1));
  let n = 0;
  const append = async (bytes: Uint8Array): Promise<void> => {
    if ((await lane.append(bytes, n)) !== "stored") throw new Error(`commit ${n + 1} was not stored`);
    n += 1;
  };
  const post = async (room: string, count: number): Promise<void> => {
    for (let left = count; left > 0; left -= perCommit) {
      const entries = Array.from({ length: Math.min(left, perCommit) }, () => [talk.post(room, text)]);
      await append(await builder.commit(entries));
    }
  };
  // Nothing is in the tables, as this source has it.
  const none = { n: 0, hash: "", epoch: "", generation: 1, factsVersion: "" };
  const source: FactSource = { load: async () => ({ checkpoint: none, rows: new Map(), parked: [] }) };
  return {
    lane,
    async room({ room, people, messages }) {
      const all = Array.from({ length: people }, (_, index) => idOf(`member of ${room}`, index));
      await append(await builder.commit([[talk.create(room, all)]]));
      await post(room, messages);
    },
    async takeOver(writer) {
      const startedAt = performance.now();
      const { signal } = new AbortController();
      await takeOver({ lane, source, vault, model: roomModel, writer, now: Date.now, signal });
      return performance.now() - startedAt;
    },
  };
}

/** How long a post takes, in milliseconds, when it is the first thing that a new process of `commands` does. */
async function firstPost(box: FreshBox, room: string): Promise<number> {
  const commands = await startApps(["commands"], box.env);
  const sender = commandSender(box.link, { onMalformed: () => undefined });
  try {
    const { writer } = await box.nextBeat("rooms.0");
    const command = commandOf("postMessage", idOf(`member of ${room}`, 0), room, { room, text });
    const startedAt = performance.now();
    const reply = await sender.send(subjects(box.prefix).commands("rooms.0", writer), command);
    if (!("ok" in reply)) throw new Error(`the first post was refused: ${JSON.stringify(reply)}`);
    return performance.now() - startedAt;
  } finally {
    sender.close();
    await commands.close();
  }
}

async function projected(pool: PostgresPool, n: number): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ n: number }>("select n from chat.checkpoints where lane = 'rooms.0'");
    if ((rows[0]?.n ?? 0) >= n) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** How long a take-over takes with the longest tail that there may be, in a box of its own. */
async function fullTail(servers: Parameters<typeof freshBox>[0], say: (line: string) => void): Promise<Part> {
  const box = await freshBox(servers);
  const pool = openPool(box.databaseUrl, { name: "bench", max: 2 });
  const ms: number[] = [];
  try {
    const fill = await filler(box, pool);
    say(`writing ${tailEvents} events …`);
    await fill.room({ ...big, messages: tailEvents - 1 });
    for (let i = 1; i <= takeOvers; i++) {
      ms.push(await fill.takeOver(`bench-${i}`));
      say(`${i}/${takeOvers} take-over: ${round(ms.at(-1) ?? 0)} ms`);
    }
  } finally {
    await pool.end();
    await box.close();
  }
  const [ours, ceiling] = [round(median(ms)), 5_000];
  const name = `cold-load: take-over with a tail of ${tailEvents} events, ms`;
  return { name, ours, ceiling, ratio: round(ours / ceiling, 3), target: 1, ok: ours <= ceiling };
}
