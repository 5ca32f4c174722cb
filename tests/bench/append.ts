import { commandSender } from "@connect-hub/jetstream";
import { openPool } from "@connect-hub/postgres";
import { jetstreamManager } from "@nats-io/jetstream";
import { type FreshBox, freshBox } from "../support/freshBox.ts";
import { startApps } from "./appProcess.ts";
import { groupCommitting } from "./bareLog.ts";
import { bareSenders } from "./bareSenders.ts";
import { alternate, type Bench, benchServers, type Part, partOf, percentile, round } from "./bench.ts";
import { type Crowd, closedLoop, crowdOf } from "./senders.ts";

const rooms = 10;
const perRoom = 2;
const pairs = 5;
const runMs = 4_000;
const sustainedMs = 60_000;

/**
 * 20 senders in 10 rooms through the commands app, against bare loops behind the same requests on the same server; then a
 * minute with the projector.
 */
export const append: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const commands = await startApps(["commands"], box.env);
  const sender = commandSender(box.link, { onMalformed: say });
  try {
    const crowd = await crowdOf(box, sender, rooms, perRoom);
    const ours = () => closedLoop(oursOf(crowd), runMs);
    await closedLoop(oursOf(crowd), 2_000);
    const bytes = await bytesPerCommand(box);
    say(`${bytes} bytes per command in the log`);
    const bare = await bareSenders(box, sender, bytes);
    const inProcess = await groupCommitting(box.link.nc, bytes);
    const all = Array.from({ length: rooms * perRoom }, (_, index) => crowd.rooms[index % rooms] ?? "");
    const latencies: number[] = [];
    const rates = await alternate(pairs, say, {
      ours: async () => {
        const run = await ours();
        latencies.push(...run.latencies);
        return run.rate;
      },
      grouped: async () =>
        (
          await closedLoop(
            all.map((room) => () => bare.grouped(room)),
            runMs,
          )
        ).rate,
      single: async () =>
        (
          await closedLoop(
            all.map((room) => () => bare.single(room)),
            runMs,
          )
        ).rate,
    });
    const withoutRequests = await closedLoop(
      all.map((room) => () => inProcess.send(room)),
      runMs,
    );
    await bare.close();
    const more = {
      p50Ms: round(percentile(latencies, 0.5)),
      p99Ms: round(percentile(latencies, 0.99)),
      bytesPerCommand: bytes,
      groupedInOneProcess: round(withoutRequests.rate),
    };
    return [
      partOf("append: of a bare group-committing loop", { ours: rates.ours, ceiling: rates.grouped }, 0.25, more),
      partOf("append: of one append per command, a subject per room", { ours: rates.ours, ceiling: rates.single }, 1.8),
      await sustained(box, crowd, say),
    ];
  } finally {
    sender.close();
    await commands.close();
    await box.close();
    await servers.close();
  }
};

function oursOf(crowd: Crowd): (() => Promise<void>)[] {
  return crowd.rooms.flatMap((room) => Array.from({ length: crowd.perRoom }, (_, k) => () => crowd.post(room, k)));
}

async function bytesPerCommand(box: FreshBox): Promise<number> {
  const manager = await jetstreamManager(box.link.nc);
  let bytes = 0;
  let entries = 0;
  for await (const stream of manager.streams.list()) {
    if (!stream.config.name.startsWith(`${box.prefix}LOG_rooms`)) continue;
    for (let seq = stream.state.last_seq; seq > Math.max(1, stream.state.last_seq - 20); seq--) {
      const message = await manager.streams.getMessage(stream.config.name, { seq });
      bytes += message?.data.byteLength ?? 0;
      entries += message?.json<{ entries: unknown[] }>().entries.length ?? 0;
    }
  }
  return Math.round(bytes / entries);
}

/** A minute with the projector on. The lag is bounded when at no time after the start it was more than 2 s of the rate. */
async function sustained(box: FreshBox, crowd: Crowd, say: (line: string) => void): Promise<Part> {
  const projector = await startApps(["projector"], box.env);
  const pool = openPool(box.databaseUrl, { name: "bench", max: 1 });
  const messagesIn = async () => {
    const { rows } = await pool.query<{ m: number }>("select coalesce(sum(m), 0)::bigint as m from chat.rooms");
    return rows[0]?.m ?? 0;
  };
  let sent = await caughtUp(messagesIn);
  const lags: number[] = [];
  const watch = setInterval(async () => {
    const at = sent;
    lags.push(at - (await messagesIn()));
    if (lags.length % 10 === 0) say(`sustained: ${lags.length} s, lag ${lags.at(-1)} messages`);
  }, 1_000);
  const senders = oursOf(crowd).map((post) => async () => {
    await post();
    sent += 1;
  });
  try {
    const { rate, latencies } = await closedLoop(senders, sustainedMs);
    return sustainedPart(rate, latencies, Math.max(...lags.slice(5)));
  } finally {
    // Also after a failure: else the next look, at a server that is stopped by then, would be all that is told of it.
    clearInterval(watch);
    await projector.close();
    await pool.end();
  }
}

function sustainedPart(rate: number, latencies: readonly number[], worst: number): Part {
  return {
    name: "append: a sustained minute, lag at most 2 s of the rate",
    ours: round(worst),
    ceiling: round(rate * 2),
    ratio: round(worst / (rate * 2), 3),
    target: 1,
    ok: worst <= rate * 2,
    ratePerSecond: round(rate),
    p50Ms: round(percentile(latencies, 0.5)),
    p99Ms: round(percentile(latencies, 0.99)),
    worstLagMessages: worst,
  };
}

/** How many messages there are, when that stands still. */
async function caughtUp(count: () => Promise<number>): Promise<number> {
  for (let before = -1; ; ) {
    const now = await count();
    if (now === before && now > 0) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}
