import { factsVersionOf } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { openLane } from "@connect-hub/jetstream";
import { openPool, pgGenerations } from "@connect-hub/postgres";
import type { Generations } from "@connect-hub/projections";
import { openVault } from "@connect-hub/vault";
import { freshBox } from "../support/freshBox.ts";
import { startApps } from "./appProcess.ts";
import { bareCopy } from "./bareCopy.ts";
import { alternate, type Bench, benchServers, median, partOf, round } from "./bench.ts";
import { roomLog } from "./roomLog.ts";

/** How many messages; a part of a million may be asked for, to try the bench itself. */
const messages = Number(process.env.HUB_BENCH_MESSAGES ?? 1_000_000);
const few = messages / 10;
const pairs = { few: 5, all: 3 };
const maxBytes = 300 * 1024 ** 2;

/**
 * Filling new tables beside the served ones with a million messages: against a bare loop that reads the same lane, parses it,
 * opens the texts and copies the same rows; against its own rate at a tenth; and the memory of the projector, which keeps the served tables current
 * meanwhile.
 */
export const rebuild: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox({ ...servers, laneBytes: 2 * 1024 ** 3 });
  const pool = openPool(box.databaseUrl, { name: "bench", max: 6, statementTimeoutMs: 600_000 });
  try {
    const vault = await openVault({ db: pool, rootFile: String(box.env.HUB_VAULT_ROOT) });
    const lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
    const log = await roomLog(lane, vault);
    const bare = await bareCopy(pool, log.keys);
    const generations = pgGenerations(pool, roomModel);
    const projector = await startApps(["projector"], box.env);
    const measure = async (count: number, rounds: number) => {
      const head = await lane.lastNumber();
      await untilThere(generations, await servedOf(generations), head);
      return alternate(rounds, say, {
        ours: () => oursOnce(generations, head, count),
        bare: async () => {
          await bare.empty();
          return rateOf(count, () => bare.run(lane, head));
        },
      });
    };
    say(`writing ${few} messages …`);
    await log.append(few);
    const atFew = await measure(few, pairs.few);
    say(`writing ${messages - few} more …`);
    await log.append(messages - few);
    const atAll = await measure(messages, pairs.all);
    const [tenth, whole] = [median(atFew.ours), median(atAll.ours)];
    const steady = partOf(`rate at ${messages} against ${few}`, { ours: [whole], ceiling: [tenth] }, 0.9);
    const peak = projector.peakBytes();
    // The less of it the better: as a ratio, what is allowed by what was taken.
    const memory = partOf("memory of the projector", { ours: [maxBytes], ceiling: [peak] }, 1, { peakBytes: peak });
    await projector.close();
    const more = { unit: "messages/s", commits: await lane.lastNumber() };
    return [partOf("rebuild", { ours: atAll.ours, ceiling: atAll.bare }, 0.8, more), steady, memory];
  } finally {
    await pool.end();
    await box.close();
    await servers.close();
  }
};

/** Messages per second from the moment at which a projector has the new tables to the head. */
async function oursOnce(generations: Generations, head: number, count: number): Promise<number> {
  const { number } = await generations.make(factsVersionOf(roomModel));
  await until(async () => (await checkpointOf(generations, number))?.projector != null);
  const rate = await rateOf(count, () => untilThere(generations, number, head));
  await generations.giveUp(number);
  await generations.clean();
  return rate;
}

async function rateOf(count: number, work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return round(count / ((performance.now() - startedAt) / 1_000));
}

function untilThere(generations: Generations, number: number, head: number): Promise<void> {
  return until(async () => ((await checkpointOf(generations, number))?.n ?? 0) >= head);
}

async function checkpointOf(generations: Generations, number: number) {
  return (await generations.checkpoints(number)).find(({ lane }) => lane === "rooms.0");
}

async function servedOf(generations: Generations): Promise<number> {
  return (await generations.list()).find(({ state }) => state === "served")?.number ?? 0;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}
