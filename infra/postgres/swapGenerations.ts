import { pause, type Schema } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import {
  type CatalogColumn,
  catalogQuery,
  GenerationRefused,
  generationSchema,
  type LaneCheckpoint,
  type PresentLog,
  servedViews,
} from "@connect-hub/projections";
import type { PoolClient } from "pg";
import { vacuumInserts } from "./autovacuum.ts";
import { checkpointColumns } from "./checkpointColumns.ts";
import { orUnavailable, sqlStateOf } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";
import { inTransaction } from "./transaction.ts";

const lockNotAvailable = "55P03";
const deadlock = "40P01";
/** How long readers may wait for the swap, and how long it is tried again when it had to give way to one that takes longer. */
const viewLockMs = 100;
const giveUpMs = 30_000;
const againMs = 100;
/** How long the served lanes may stand still until the new ones have what they have. */
const levelMs = 5_000;
const levelPollMs = 5;

interface SwapOptions {
  readonly schema: Schema;
  /** The generation that is to be served. */
  readonly to: number;
  readonly evenIfBehind: boolean;
  readonly log: PresentLog;
}

/**
 * Makes a generation the served one. The checkpoints of the served one are locked first, so that it can't get ahead; the new one
 * comes up to it within moments, and only then the views are changed. A reader that began before has what was served then, one
 * that comes while it happens waits for some milliseconds. Readers that hold a view for longer make the swap wait, never fail.
 */
export async function swapGenerations(pool: PostgresPool, options: SwapOptions): Promise<void> {
  await vacuumInserts(pool, generationSchema(options.schema, options.to), true);
  const giveUpAt = Date.now() + giveUpMs;
  for (;;) {
    try {
      return await orUnavailable(() => inTransaction(pool, (client) => swap(client, options)));
    } catch (error) {
      const state = sqlStateOf(error) ?? sqlStateOf(error instanceof Error ? error.cause : undefined);
      if ((state !== lockNotAvailable && state !== deadlock) || Date.now() >= giveUpAt) throw error;
      await pause(againMs);
    }
  }
}

async function swap(client: PoolClient, options: SwapOptions): Promise<void> {
  const { schema, to, evenIfBehind } = options;
  await client.query(`set local lock_timeout = ${giveUpMs}`);
  const { rows } = await client.query<{ number: number; state: string }>(
    `select number, state from ${schema}.generations order by number for update`,
  );
  const served = rows.find(({ state }) => state === "served");
  if (!rows.some(({ number }) => number === to)) throw new GenerationRefused(`There is no generation ${to}`);
  if (served === undefined || served.number === to) return;
  if (!evenIfBehind) await assertFit(client, served.number, options);
  await client.query(`set local lock_timeout = ${viewLockMs}`);
  const catalog = await client.query<CatalogColumn>(catalogQuery(schema, to));
  // All that the locks of the views are held for, in one round trip.
  await client.query(
    [
      ...servedViews(schema, to, catalog.rows),
      `delete from ${schema}.generations where state = 'kept' and number <> ${to}`,
      `update ${schema}.generations set state = 'kept' where number = ${served.number}`,
      `update ${schema}.generations set state = 'served', swapped_at = clock_timestamp() where number = ${to}`,
      `update ${generationSchema(schema, to)}.checkpoints set stop_at = null where stop_at is not null`,
    ].join(";\n"),
  );
}

async function assertFit(client: PoolClient, from: number, { schema, to, log }: SwapOptions): Promise<void> {
  const checkpoints = async (generation: number, lock = ""): Promise<LaneCheckpoint[]> => {
    const from = `${generationSchema(schema, generation)}.checkpoints`;
    return (await client.query<LaneCheckpoint>(`select ${checkpointColumns} from ${from} order by lane ${lock}`)).rows;
  };
  const marks = await marksOf(await checkpoints(from, "for update"), await checkpoints(to), log);
  const giveUpAt = Date.now() + levelMs;
  while (behind(marks, await checkpoints(to)).some(({ isPaused }) => !isPaused) && Date.now() < giveUpAt) {
    await pause(levelPollMs);
  }
  const coming = await checkpoints(to, "for update");
  const halted = coming.find((one) => one.halted !== null);
  if (halted !== undefined) {
    throw new GenerationRefused(`Generation ${to} can't be served: ${halted.lane} has halted. ${halted.halted}`);
  }
  const [late] = behind(marks, coming);
  if (late !== undefined) {
    throw new GenerationRefused(
      `Generation ${to} can't be served yet: ${late.lane} is at commit ${late.n} there, and at ${late.needed} ${late.isServed ? `in generation ${from}` : "on the log"}. Is it paused? See: npm run hub -- projections progress`,
    );
  }
  const { rows } = await client.query<{ n: number }>(
    `select count(*) as n from ${generationSchema(schema, to)}.parked`,
  );
  const parked = rows[0]?.n ?? 0;
  if (parked > 0) {
    throw new GenerationRefused(
      `Generation ${to} can't be served: ${parked} subject(s) are parked in it. See: npm run hub -- projections parked`,
    );
  }
}

/** What the coming tables must have of a lane: what the served ones have, or the log itself. */
interface Mark {
  readonly lane: LaneId;
  readonly n: number;
  readonly isServed: boolean;
}

/**
 * Tables that have halted, or are of another log, say nothing of what there is: then the log does. Two epochs may be one log (an archive closed the
 * first) or two (a restore): that is looked up, as only the log knows it.
 */
async function marksOf(
  served: readonly LaneCheckpoint[],
  coming: readonly LaneCheckpoint[],
  log: PresentLog,
): Promise<readonly Mark[]> {
  const isMark = async (one: LaneCheckpoint): Promise<boolean> => {
    if (one.halted !== null) return false;
    const other = coming.find(({ lane }) => lane === one.lane);
    return (other !== undefined && other.n > 0 && other.epoch === one.epoch) || log.has(one);
  };
  return Promise.all(
    served.map(async (one) => {
      const isServed = await isMark(one);
      return { lane: one.lane, n: isServed ? one.n : await log.head(one.lane), isServed };
    }),
  );
}

/** The lanes of which the coming tables have less. */
function behind(
  marks: readonly Mark[],
  coming: readonly LaneCheckpoint[],
): (Mark & { readonly needed: number; readonly isPaused: boolean })[] {
  return marks.flatMap(({ lane, n, isServed }) => {
    const other = coming.find((one) => one.lane === lane);
    const isPaused = other?.stopAt != null && other.stopAt < n;
    return (other?.n ?? 0) < n ? [{ lane, n: other?.n ?? 0, needed: n, isServed, isPaused }] : [];
  });
}
