import { statfsSync, statSync } from "node:fs";
import type { Lane } from "@connect-hub/domain/kernel";
import { contextOf, type LaneId } from "@connect-hub/domain/values";
import { laneSize, type NatsLink, openLane } from "@connect-hub/jetstream";
import { type BoxState, readBoxState } from "../box/boxState.ts";
import type { Connections } from "../box/connections.ts";
import { lanesOf } from "../box/migrate.ts";
import { inBytes } from "../inBytes.ts";
import { connectAsOperator } from "../lanes.ts";
import type { ReadTables } from "../readTables.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import { dayMs, type LaneGrowth, laneGrowth } from "./laneGrowth.ts";

const tooYoung = "less than an hour old, too young to tell";
const warnDays = 30;
const failDays = 3;

export interface GrowthOptions {
  readonly connections: Connections;
  readonly dataDir: string;
  readonly tables: readonly ReadTables[];
  readonly nowMs: number;
}

/**
 * How fast the log and the tables grow, and when the log's reserve and the disk are full. What can't be looked at is no failure here:
 * others say what is wrong with it.
 */
export function examineGrowth(options: GrowthOptions): Promise<readonly Finding[]> {
  const { connections, dataDir, tables, nowMs } = options;
  return orUntold("growth", async () => {
    const link = await connectAsOperator(connections);
    try {
      const found: Finding[] = [];
      const lanes = new Map<LaneId, LaneGrowth>();
      for (const id of lanesOf(connections.roomLanes))
        found.push(...(await orUntold(`growth of ${id}`, async () => [await examineLane(link, id, lanes, options)])));
      const perDay = { nats: sum([...lanes.values()].map(({ bytesPerDay }) => bytesPerDay)), postgres: 0 };
      for (const one of tables) {
        const grown = await tableGrowth(one, lanes);
        perDay.postgres += grown.bytesPerDay;
        const now = `${inBytes(grown.bytes)} now`;
        if (lanes.size === 0) {
          found.push(ok(`growth of the tables of ${one.name}`, `${now}; ${tooYoung}`));
          continue;
        }
        const says = `about ${inBytes(Math.round(grown.bytesPerDay))} a day, ${now}`;
        found.push(ok(`growth of the tables of ${one.name}`, says));
      }
      return [...found, ...diskFinding(readBoxState(dataDir), lanes.size === 0 ? undefined : perDay, nowMs)];
    } finally {
      await link.close();
    }
  });
}

async function orUntold(check: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [ok(check, `can't be told: ${error instanceof Error ? error.message : String(error)}`)];
  }
}

async function examineLane(
  link: NatsLink,
  id: LaneId,
  grown: Map<LaneId, LaneGrowth>,
  { connections, nowMs }: GrowthOptions,
): Promise<Finding> {
  const { prefix, archiveDir } = connections;
  const check = `growth of ${id}`;
  const lane: Lane = await openLane(link, { prefix, id, archiveDir });
  const growth = await laneGrowth(lane, nowMs);
  const { bytes, maxBytes } = await laneSize(link, prefix, id);
  const now = `${inBytes(bytes)} of ${inBytes(maxBytes)} reserved`;
  if (growth === undefined) return ok(check, `${now}; ${tooYoung}`);
  grown.set(id, growth);
  const rate = `about ${inBytes(Math.round(growth.bytesPerDay))} a day (${growth.commits} commits)`;
  return fullness(
    { check, rate: `${rate}, ${now}`, what: "its reserve" },
    { left: maxBytes - bytes, perDay: growth.bytesPerDay, nowMs },
    `Move what is old out of NATS: npm run hub -- archive ${id}`,
  );
}

/** The tables grew as their lanes did: nobody keeps what they were a day ago. */
async function tableGrowth(
  { name, pool, model }: ReadTables,
  lanes: ReadonlyMap<LaneId, LaneGrowth>,
): Promise<{ readonly bytes: number; readonly bytesPerDay: number }> {
  const schema = model.tables[0]?.schema ?? "";
  const { rows } = await pool.query<{ bytes: string | null }>(sizeOfSchema, [schema]);
  const bytes = Number(rows[0]?.bytes ?? 0);
  const own = [...lanes].filter(([id]) => contextOf(id) === name).map(([, growth]) => growth);
  const parts = own.map(({ part, spanMs }) => (part * dayMs) / spanMs);
  return { bytes, bytesPerDay: parts.length === 0 ? 0 : (bytes * sum(parts)) / parts.length };
}

// All generations of the tables: a former one that is kept grows too.
const sizeOfSchema = `select sum(pg_total_relation_size(c.oid))::text as bytes from pg_class c
  join pg_namespace s on s.oid = c.relnamespace where c.relkind = 'r' and (s.nspname = $1 or s.nspname ~ ('^' || $1 || '_g[0-9]+$'))`;

/** One for each disk that servers of this box are on; servers by URL have disks of their own. */
function diskFinding(
  state: BoxState | undefined,
  perDay: Readonly<Record<"nats" | "postgres", number>> | undefined,
  nowMs: number,
): Finding[] {
  const disks = new Map<number, { free: number; perDay: number }>();
  for (const kind of ["nats", "postgres"] as const) {
    const folder = state?.servers.find((one) => one.kind === kind)?.dataFolder;
    if (folder === undefined || folder === null) continue;
    const { bavail, bsize } = statfsSync(folder);
    const { dev } = statSync(folder);
    const disk = disks.get(dev) ?? { free: bavail * bsize, perDay: 0 };
    disk.perDay += perDay?.[kind] ?? 0;
    disks.set(dev, disk);
  }
  if (perDay === undefined)
    return [...disks.values()].map(({ free }) => ok("growth on the disk", `${inBytes(free)} free; ${tooYoung}`));
  return [...disks.values()].map(({ free, perDay: bytes }) =>
    fullness(
      {
        check: "growth on the disk",
        rate: `about ${inBytes(Math.round(bytes))} a day, ${inBytes(free)} free`,
        what: "it",
      },
      { left: free, perDay: bytes, nowMs },
      "Give the disk room, or move what is old in the log to another one (HUB_ARCHIVE_DIR): npm run hub -- archive --all",
    ),
  );
}

/** What is to be said of something that has room for `left` bytes more and gets `perDay` each day. */
export function fullness(
  { check, rate, what }: { readonly check: string; readonly rate: string; readonly what: string },
  { left, perDay, nowMs }: { readonly left: number; readonly perDay: number; readonly nowMs: number },
  todo: string,
): Finding {
  const days = perDay <= 0 ? Number.POSITIVE_INFINITY : Math.max(0, left) / perDay;
  if (days > farDays) return ok(check, `${rate}: ${what} is not full for years`);
  const day = new Date(nowMs + days * dayMs).toISOString().slice(0, 10);
  const says = `${rate}: ${what} is full in ${Math.floor(days)} days, on ${day}`;
  if (days < failDays) return fail(check, says, todo);
  return days < warnDays ? warn(check, says, todo) : ok(check, says);
}

const farDays = 2 * 365;

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
