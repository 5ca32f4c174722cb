import { type ContextModel, factsVersionOf, type Lane, pause, type Step } from "@connect-hub/domain/kernel";
import { compareAtOnePosition } from "./compareAtOnePosition.ts";
import type { Comparison } from "./compareGenerations.ts";
import { byLane, type Generation, type Generations, sum } from "./generations.ts";
import type { RebuildStep } from "./steps.ts";

export interface RebuildOptions {
  readonly generations: Generations;
  readonly model: ContextModel;
  /** The lanes of the context. */
  readonly lanes: readonly Lane[];
  /** Whether the new tables are held against the served ones, and whether they are served in the end. */
  readonly compare: boolean;
  readonly swap: boolean;
  /** Aborting leaves the generation as it is, being filled: the next rebuild goes on with it. */
  readonly signal: AbortSignal;
  /** Told of each look: how many commits are in the new tables, of how many. */
  onProgress?(done: number, total: number): void;
  /** Told what begins now, and of what is left out. */
  say?(message: string): void;
  readonly step?: Step<RebuildStep>;
}

/** How it ended. `built`: as asked, the new tables wait to be swapped. `differs`: they are held where the first difference is. */
export interface Rebuilt {
  readonly outcome: "swapped" | "built" | "differs" | "halted" | "interrupted";
  readonly generation: number;
  /** The commits in the new tables. */
  readonly commits: number;
  /** What was compared; null when nothing was. */
  readonly comparison: Comparison | null;
  /** Why a lane has halted. */
  readonly halted: string | null;
}

const lookEveryMs = 100;
/** Tables that are no further behind the log than this are near its head: what it has then they are to have. */
const nearCommits = 200;

/**
 * Fills new tables beside the served ones, compares the two at an equal position, and swaps them. Goes on with a generation that is
 * being built already. Projectors do the filling: without one it waits. Throws `GenerationRefused`, `FactsUnavailable`,
 * `LogUnavailable`.
 */
export async function rebuild(options: RebuildOptions): Promise<Rebuilt> {
  const { generations, step } = options;
  const building = await generationToBuild(options);
  const ended = (outcome: Rebuilt["outcome"], rest: Partial<Rebuilt> = {}): Promise<Rebuilt> =>
    withCommits(generations, { outcome, generation: building.number, comparison: null, halted: null, ...rest });
  const filled = await fill(options, building.number);
  if (filled !== "filled") return ended(filled.outcome, filled);
  await step?.("rebuild.filled");
  const comparison = options.compare ? await compareAtOnePosition(options, building) : null;
  if (comparison === "interrupted") return ended("interrupted");
  if (comparison !== null && comparison.difference !== null) return ended("differs", { comparison });
  if (!options.swap) return ended("built", { comparison });
  await generations.swap(building.number);
  await step?.("rebuild.swapped");
  await generations.clean();
  await step?.("rebuild.cleaned");
  return ended("swapped", { comparison });
}

/** The one that is being built by this version of the code, without a bound, or a new one. */
async function generationToBuild({ generations, model, say, step }: RebuildOptions): Promise<Generation> {
  const factsVersion = factsVersionOf(model);
  const before = (await generations.list()).find(({ state }) => state === "building");
  if (before?.factsVersion === factsVersion) {
    await generations.bound(before.number, null);
    return before;
  }
  if (before !== undefined) {
    say?.(`Generation ${before.number} of the ${model.context} is of another version of the code: given up.`);
    await generations.giveUp(before.number);
  }
  await generations.clean();
  const made = await generations.make(factsVersion);
  await step?.("rebuild.made");
  return made;
}

type Unfilled = { readonly outcome: "halted" | "interrupted"; readonly halted: string | null };

async function fill(
  { generations, lanes, signal, onProgress }: RebuildOptions,
  building: number,
): Promise<"filled" | Unfilled> {
  let wanted: readonly number[] | undefined;
  for (;;) {
    const found = byLane(await generations.checkpoints(building));
    const stands = await Promise.all(
      lanes.map(async (lane) => {
        const [head, n] = [await lane.lastNumber(), found.get(lane.id)?.n ?? 0];
        return { head, n };
      }),
    );
    const [done, total] = [sum(stands.map(({ n }) => n)), sum(stands.map(({ head }) => head))];
    onProgress?.(done, total);
    const halted = [...found.values()].find((one) => one.halted !== null);
    if (halted !== undefined) return { outcome: "halted", halted: `${halted.lane}: ${halted.halted}` };
    if (stands.every(({ head, n }) => head - n <= nearCommits)) wanted ??= stands.map(({ head }) => head);
    if (wanted !== undefined && stands.every(({ n }, at) => n >= (wanted?.[at] ?? 0))) return "filled";
    if (signal.aborted) return { outcome: "interrupted", halted: null };
    await pause(lookEveryMs, signal);
  }
}

async function withCommits(generations: Generations, rest: Omit<Rebuilt, "commits">): Promise<Rebuilt> {
  return { ...rest, commits: sum((await generations.checkpoints(rest.generation)).map(({ n }) => n)) };
}
