import { contextOf, type LaneId } from "@connect-hub/domain/values";
import { checkLane, type LaneDifference, type NatsLink, openLane } from "@connect-hub/jetstream";
import { pgParked } from "@connect-hub/postgres";
import type { Connections } from "../box/connections.ts";
import { lanesOf } from "../box/migrate.ts";
import { connectAsOperator } from "../lanes.ts";
import { type LaneLag, lagsOf, type ReadTables } from "../readTables.ts";
import { examineArchive } from "./archive.ts";
import { examine, type Finding, fail, ok, warn } from "./finding.ts";

/** Whether each lane's stream is as it must be, and where the tables stand beside it. */
export function examineLog(connections: Connections, tables: readonly ReadTables[]): Promise<readonly Finding[]> {
  return examine("log", "See what runs: npm run hub -- status. Start the box: npm run hub -- up", async () => {
    const link = await connectAsOperator(connections);
    try {
      const looks = lanesOf(connections.roomLanes).map((id) => examineLane(link, connections, id, tables));
      return (await Promise.all(looks)).flat();
    } finally {
      await link.close();
    }
  });
}

async function examineLane(
  link: NatsLink,
  connections: Connections,
  id: LaneId,
  tables: readonly ReadTables[],
): Promise<readonly Finding[]> {
  const check = `lane ${id}`;
  const { prefix, archiveDir } = connections;
  const found = await examine(check, "Start the box, which makes what is missing: npm run hub -- up", async () =>
    laneFinding(check, await checkLane(link, { prefix, id })),
  );
  // The numbers of an unsound stream mean nothing.
  if (found.some(({ state }) => state === "fail")) return found;
  const lag = await examine(`tables of ${id}`, "See: npm run hub -- projections list", async () => {
    const lags = await lagsOf(tables, [await openLane(link, { prefix, id, archiveDir })]);
    return lags.map(lagFinding);
  });
  const archive = await examine(`archive of ${id}`, "See: npm run hub -- archive", () =>
    examineArchive(link, id, connections),
  );
  const parked = await examine(`parked in ${id}`, "See: npm run hub -- projections parked", () => parkedIn(id, tables));
  return [...found, ...archive, ...lag, ...parked];
}

/** Nothing when nothing is parked. */
async function parkedIn(id: LaneId, all: readonly ReadTables[]): Promise<readonly Finding[]> {
  const tables = all.find(({ name }) => name === contextOf(id));
  const served = (await tables?.generations.list())?.find(({ state }) => state === "served");
  if (tables === undefined || served === undefined) return [];
  const marks = (await pgParked(tables.pool, tables.model).list(served.number)).filter(({ lane }) => lane === id);
  const [first] = marks;
  if (first === undefined) return [];
  const says = `${marks.length} can't be read, the first is ${first.kind} ${first.id} since commit ${first.from}: ${first.reason}`;
  return [warn(`parked in ${id}`, says, "See why, and what to do: npm run hub -- projections parked")];
}

function laneFinding(check: string, differences: readonly LaneDifference[]): Finding {
  if (differences.length === 0) return ok(check, "its stream is as it must be, from commit 1 on");
  const list = differences.map(
    ({ field, is, must }) => `${field} is ${JSON.stringify(is)}, must be ${JSON.stringify(must)}`,
  );
  const isCut = differences.some(({ field }) => field === "first_seq" || field === "deleted" || field === "stream");
  const todo = isCut
    ? "Commits are gone: npm run hub -- restore DIR, from your latest backup."
    : "Somebody changed the stream: change it back before anything is lost.";
  return fail(check, list.join("; "), todo);
}

/** So many commits behind are more than a burst. */
const manyBehind = 10_000;

function lagFinding({ lane, n, head, behind, halted }: LaneLag): Finding {
  const check = `tables of ${lane}`;
  if (halted !== null) {
    const todo = "Put right what it names, or fill the tables anew: npm run hub -- projections rebuild";
    return fail(check, `halted at ${n} of ${head}: ${halted}`, todo);
  }
  const says = `at ${n} of ${head}`;
  if (behind < manyBehind) return ok(check, says);
  return warn(check, says, "Does the projector run? See: npm run hub -- status");
}
