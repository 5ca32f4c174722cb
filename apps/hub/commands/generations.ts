import { withinTime } from "@connect-hub/domain/kernel";
import {
  type Generation,
  GenerationRefused,
  type GenerationState,
  type Generations,
  rebuildSteps,
} from "@connect-hub/projections";
import { failpoint } from "@connect-hub/runtime";
import type { Command } from "commander";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";
import { withLanes } from "../lanes.ts";
import { progressBar } from "../progressBar.ts";
import { chosenTables } from "../projections/chosenTables.ts";
import { assertDiskRoom } from "../projections/diskRoom.ts";
import { lanePaces, paceTable } from "../projections/lanePace.ts";
import { rebuildTables } from "../projections/rebuildTables.ts";
import { rebuiltText } from "../projections/rebuiltText.ts";
import { type ReadTables, withReadTables } from "../readTables.ts";
import { seconds } from "../seconds.ts";
import { untilSignal } from "../untilSignal.ts";

interface Json {
  readonly json?: true;
}

interface RebuildOptions extends Json {
  readonly swap: boolean;
  readonly compare: boolean;
  readonly timeout?: number;
}

const namesHelp = "which ones: accounts, rooms, content (default: all)";

/** `hub projections rebuild|pause|resume|cancel|progress|swap|rollback|drop`: new tables beside the served ones. */
export function registerGenerations(projections: Command, context: CommandContext): void {
  projections
    .command("rebuild")
    .description("fill new tables from the log beside the served ones, compare the two at one position, and swap them")
    .argument("[projections...]", namesHelp)
    .option("--no-swap", "leave the new tables beside the served ones: npm run hub -- projections swap")
    .option("--no-compare", "when the served tables are known to be wrong")
    .option("--timeout <seconds>", "stop waiting after so long; the new tables go on being filled", seconds)
    .option("--json", "for programs")
    .action((names: readonly string[], options: RebuildOptions) => rebuild(context, names, options));
  projections
    .command("progress")
    .description("how far new tables are, their rate and the time left")
    .argument("[projections...]", namesHelp)
    .option("--json", "for programs")
    .action((names: readonly string[], { json }: Json) => progress(context, names, json === true));
  const acts: readonly Act[] = [
    ["pause", "let new tables wait where they are", "building", (all, { number }) => all.bound(number, "here")],
    ["resume", "let new tables go on", "building", (all, { number }) => all.bound(number, null)],
    ["cancel", "give new tables up and free their disk", "building", giveUp],
    ["swap", "serve the new tables, whatever they were compared with", "building", swap],
    ["rollback", "serve again what was served before the last swap", "kept", swap],
    ["drop", "give up the way back, and free the disk of what was served before", "kept", giveUp],
  ];
  for (const act of acts) registerAct(projections, context, act);
}

/** Name, description, the generation that it is for, and what it does with that. */
type Act = readonly [
  name: string,
  description: string,
  of: GenerationState,
  run: (generations: Generations, one: Generation) => Promise<unknown>,
];

function registerAct(projections: Command, context: CommandContext, [name, description, of, run]: Act): void {
  projections
    .command(name)
    .description(description)
    .argument("[projections...]", namesHelp)
    .option("--json", "for programs")
    .action((names: readonly string[], { json }: Json) =>
      withReadTables(context, async (all) => {
        const chosen = await those(chosenTables(all, names), of);
        for (const { tables, generation } of chosen) await run(tables.generations, generation);
        const done = chosen.map(({ tables, generation }) => ({
          projection: tables.name,
          generation: generation.number,
        }));
        const text = done.map(({ projection, generation }) => `${name}: generation ${generation} of the ${projection}`);
        console.log(json === true ? JSON.stringify(done, undefined, 2) : text.join("\n"));
      }),
    );
}

interface Chosen {
  readonly tables: ReadTables;
  readonly generation: Generation;
}

/** The generations of these tables that are in a state; throws when there is none. */
async function those(all: readonly ReadTables[], state: GenerationState): Promise<readonly Chosen[]> {
  const found = await Promise.all(
    all.map(async (tables): Promise<Chosen[]> => {
      const generations = (await tables.generations.list()).filter((one) => one.state === state);
      return generations.map((generation) => ({ tables, generation }));
    }),
  );
  if (found.flat().length > 0) return found.flat();
  const names = all.map(({ name }) => name).join(", ");
  throw new GenerationRefused(
    state === "building"
      ? `No new tables are being filled (${names}). Begin by: npm run hub -- projections rebuild`
      : `No former tables are kept (${names}): there is nothing to go back to.`,
  );
}

async function giveUp(generations: Generations, { number }: Generation): Promise<void> {
  await generations.giveUp(number);
  await generations.clean();
}

async function swap(generations: Generations, { number }: Generation): Promise<void> {
  await generations.swap(number);
  await generations.clean();
}

function progress(context: CommandContext, names: readonly string[], json: boolean): Promise<void> {
  return withReadTables(context, (all) =>
    withLanes(context, undefined, async (lanes) => {
      const chosen = chosenTables(all, names);
      await those(chosen, "building");
      const paces = await lanePaces(chosen, lanes, ({ state }) => state === "building");
      console.log(json ? JSON.stringify(paces, undefined, 2) : paceTable(paces));
      if (paces.some(({ halted }) => halted !== null)) context.exitWith(exitCodes.failed);
    }),
  );
}

function rebuild(context: CommandContext, names: readonly string[], options: RebuildOptions): Promise<void> {
  return withReadTables(context, (all) =>
    withLanes(context, undefined, async (lanes) => {
      const tables = chosenTables(all, names);
      await assertDiskRoom(context.config().dataDir, tables);
      const startedAt = Date.now();
      const rebuilt = await watched(options, (watch) => rebuildTables(tables, { lanes, ...options, ...watch }));
      const tookSeconds = (Date.now() - startedAt) / 1_000;
      const isDone = rebuilt.every(({ outcome }) => outcome === "swapped" || outcome === "built");
      if (!isDone) context.exitWith(exitCodes.failed);
      const text =
        options.json === true
          ? JSON.stringify({ rebuilt, tookSeconds }, undefined, 2)
          : rebuiltText(rebuilt, tookSeconds);
      console.log(text);
    }),
  );
}

/** Runs `work` with a bar and the words around it on stderr, until Ctrl-C or the time is over. */
async function watched<T>(
  { json, timeout }: RebuildOptions,
  work: (watch: Pick<Parameters<typeof rebuildTables>[1], "signal" | "onProgress" | "say" | "step">) => Promise<T>,
): Promise<T> {
  let bar = progressBar("commits");
  const { signal, release } = untilSignal();
  const say = (message: string): void => {
    bar.end();
    bar = progressBar("commits");
    if (json !== true) process.stderr.write(`${message}\n`);
  };
  const onProgress = (done: number, total: number): void => bar.show(done, total);
  const run = (ended: AbortSignal) => work({ signal: ended, say, onProgress, step: failpoint(rebuildSteps) });
  try {
    return await (timeout === undefined ? run(signal) : withinTime(timeout * 1_000, signal, run));
  } finally {
    bar.end();
    release();
  }
}
