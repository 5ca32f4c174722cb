import { type ContextModel, pause, type Step } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { LaneCheckpoint } from "./applier.ts";
import { type Comparison, compareGenerations } from "./compareGenerations.ts";
import { byLane, type Generation, GenerationRefused, type Generations, sum } from "./generations.ts";
import type { RebuildStep } from "./steps.ts";

interface CompareOptions {
  readonly generations: Generations;
  readonly model: ContextModel;
  readonly signal: AbortSignal;
  say?(message: string): void;
  readonly step?: Step<RebuildStep>;
}

const lookEveryMs = 100;
/** A lane that does not get on for so long is not projected. */
const stillMs = 10_000;

/**
 * Brings new tables and the served ones to one position, without holding the served ones up, and compares them: the new ones stop
 * where they are, the served ones get ahead, a snapshot of those says where, and the new ones go exactly that far. They go on
 * afterwards, unless they differ. Null when there is nothing to compare with, which is said.
 */
export async function compareAtOnePosition(
  { generations, model, say, step, signal }: CompareOptions,
  building: Generation,
): Promise<Comparison | "interrupted" | null> {
  const served = (await generations.list()).find(({ state }) => state === "served");
  const reason = await whyNotComparable(generations, { served, building });
  if (served === undefined || reason !== undefined) {
    say?.(`Not compared with the served tables of the ${model.context}: ${reason}.`);
    return null;
  }
  const held = byLane(await generations.bound(building.number, "here"));
  await step?.("rebuild.held");
  if (!(await untilLevel(generations, { of: served.number, to: held, signal }))) {
    await generations.bound(building.number, null);
    if (signal.aborted) return "interrupted";
    say?.(`Not compared with the served tables of the ${model.context}: no projector goes on with those.`);
    return null;
  }
  say?.(`Comparing the tables of the ${model.context} …`);
  const before = await generations.snapshot(served.number);
  try {
    await generations.bound(building.number, new Map(before.checkpoints.map(({ lane, n }) => [lane, n])));
    await step?.("rebuild.bounded");
    if (!(await untilLevel(generations, { of: building.number, to: byLane(before.checkpoints), signal }))) {
      await generations.bound(building.number, null);
      if (signal.aborted) return "interrupted";
      throw new GenerationRefused(
        `No projector goes on with generation ${building.number} of the ${model.context}. See: npm run hub -- projections lag`,
      );
    }
    const after = await generations.snapshot(building.number);
    const comparison = await compareGenerations(before, after, model.tables).finally(() => after.close());
    await step?.("rebuild.compared");
    if (comparison.difference === null) await generations.bound(building.number, null);
    await step?.("rebuild.released");
    return comparison;
  } finally {
    await before.close();
  }
}

async function whyNotComparable(
  generations: Generations,
  { served, building }: { readonly served: Generation | undefined; readonly building: Generation },
): Promise<string | undefined> {
  if (served === undefined) return "there are none";
  if (served.factsVersion !== building.factsVersion) return "they were filled by another version of the code";
  const parked = await generations.parked(served.number);
  if (parked > 0) return `${parked} of their subjects are parked`;
  const halted = (await generations.checkpoints(served.number)).find((one) => one.halted !== null);
  return halted === undefined ? undefined : `${halted.lane} has halted there`;
}

/** Whether all lanes of a generation came as far as `to`; false when nothing moved for some time, or `signal` aborted. */
async function untilLevel(
  generations: Generations,
  {
    of,
    to,
    signal,
  }: { readonly of: number; readonly to: ReadonlyMap<LaneId, LaneCheckpoint>; readonly signal: AbortSignal },
): Promise<boolean> {
  let moved = { at: Date.now(), sum: -1 };
  for (;;) {
    const found = byLane(await generations.checkpoints(of));
    const missing = [...to].map(([lane, { n }]) => Math.max(0, n - (found.get(lane)?.n ?? 0)));
    if (sum(missing) === 0) return true;
    if (sum(missing) !== moved.sum) moved = { at: Date.now(), sum: sum(missing) };
    if (signal.aborted || Date.now() > moved.at + stillMs) return false;
    await pause(lookEveryMs, signal);
  }
}
