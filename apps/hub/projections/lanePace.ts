import { type Lane, pause } from "@connect-hub/domain/kernel";
import { type Context, contextOf, type LaneId } from "@connect-hub/domain/values";
import type { Generation, LaneCheckpoint } from "@connect-hub/projections";
import { headsOf, type ReadTables } from "../readTables.ts";
import { textTable } from "../table.ts";

/** Where one lane of one generation of the tables stands, and how fast it gets on. */
export interface LanePace {
  readonly projection: Context;
  readonly generation: number;
  readonly state: Generation["state"];
  readonly lane: LaneId;
  /** The last commit in the tables; 0 for none. */
  readonly n: number;
  /** The last commit in the log. */
  readonly head: number;
  readonly behind: number;
  /** Commits applied in the last second. */
  readonly perSecond: number;
  /** Until it is at the head, at that rate; null when it does not get nearer. */
  readonly secondsLeft: number | null;
  /** It goes no further than this commit. */
  readonly stopAt: number | null;
  readonly halted: string | null;
  readonly projector: string | null;
}

const lookMs = 1_000;

/** Looks twice, a second apart, at the lanes of all generations of these tables that `wanted` wants. */
export async function lanePaces(
  tables: readonly ReadTables[],
  lanes: readonly Lane[],
  wanted: (generation: Generation) => boolean = () => true,
): Promise<LanePace[]> {
  const before = await look(tables, wanted);
  const heads = await headsOf(lanes);
  if (before.some(({ one }) => one.n < (heads.get(one.lane) ?? 0))) await pause(lookMs);
  const [after, headsNow] = [await look(tables, wanted), await headsOf(lanes)];
  return after.map(({ generation, one }) => {
    const former = before.find((other) => other.generation.number === generation.number && other.one.lane === one.lane);
    const seconds = former === undefined ? 0 : (Date.parse(one.at) - Date.parse(former.one.at)) / 1_000;
    const perSecond = former === undefined || seconds <= 0 ? 0 : Math.round((one.n - former.one.n) / seconds);
    const head = headsNow.get(one.lane) ?? 0;
    const behind = Math.max(0, head - one.n);
    const nearer = perSecond - (head - (heads.get(one.lane) ?? 0));
    const left = nearer > 0 ? Math.ceil(behind / nearer) : null;
    return {
      projection: contextOf(one.lane),
      generation: generation.number,
      state: generation.state,
      lane: one.lane,
      n: one.n,
      head,
      behind,
      perSecond,
      secondsLeft: behind === 0 ? 0 : left,
      stopAt: one.stopAt,
      halted: one.halted,
      projector: one.projector,
    };
  });
}

interface Look {
  readonly generation: Generation;
  readonly one: LaneCheckpoint;
}

async function look(tables: readonly ReadTables[], wanted: (generation: Generation) => boolean): Promise<Look[]> {
  const found: Look[] = [];
  for (const { generations } of tables) {
    for (const generation of (await generations.list()).filter(wanted)) {
      for (const one of await generations.checkpoints(generation.number)) found.push({ generation, one });
    }
  }
  return found;
}

/** What a lane does: `working`, `stopped at 7`, `HALTED: why`. */
export function stateText({ halted, stopAt }: Pick<LanePace, "halted" | "stopAt">): string {
  if (halted !== null) return `HALTED: ${halted}`;
  return stopAt === null ? "working" : `paused at ${stopAt}`;
}

/** A table of how fast lanes get on. */
export function paceTable(paces: readonly LanePace[]): string {
  return textTable(
    ["lane", "tables", "commit", "log", "behind", "commits/s", "left", "state"],
    paces.map((one) => [
      one.lane,
      `${one.state} (${one.generation})`,
      String(one.n),
      String(one.head),
      String(one.behind),
      String(one.perSecond),
      one.secondsLeft === null ? "" : `${one.secondsLeft} s`,
      stateText(one),
    ]),
  );
}
