import { emptyTables } from "@connect-hub/postgres";
import type { LaneCheckpoint } from "@connect-hub/projections";
import { BadSetting } from "@connect-hub/runtime/settings";
import type { Command } from "commander";
import { lanesOf } from "../box/migrate.ts";
import { catchUpProblem, waitCaughtUp } from "../catchUp.ts";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";
import { withLanes } from "../lanes.ts";
import { progressBar } from "../progressBar.ts";
import { type LaneLag, lagsOf, type ReadTables, withReadTables } from "../readTables.ts";
import { seconds } from "../seconds.ts";
import { textTable } from "../table.ts";
import { untilSignal } from "../untilSignal.ts";

interface Json {
  readonly json?: true;
}

/** `hub projections list|lag|rebuild`: the read tables. */
export function registerProjections(program: Command, context: CommandContext): void {
  const projections = program
    .command("projections")
    .description("the read tables: where they stand, filling them anew");
  projections
    .command("list")
    .description("the checkpoint of each lane, and why it has halted if it has")
    .option("--json", "for programs")
    .action(({ json }: Json) => list(context, json === true));
  projections
    .command("lag")
    .description("how many commits the tables of each lane are behind the log")
    .option("--json", "for programs")
    .action(({ json }: Json) => lag(context, json === true));
  projections
    .command("rebuild")
    .description("empty the tables and fill them again from the log; readers see them fill")
    .argument("[projections...]", "which ones (default: all)")
    .option("--timeout <seconds>", "how long to wait until they are filled", seconds, 600)
    .option("--json", "for programs")
    .action((names: readonly string[], options: Json & { timeout: number }) => rebuild(context, names, options));
}

function list(context: CommandContext, json: boolean): Promise<void> {
  return withReadTables(context, async (tables, { roomLanes }) => {
    const found = (await Promise.all(tables.map((one) => one.checkpoints()))).flat();
    const unseen = lanesOf(roomLanes).filter((lane) => !found.some((one) => one.lane === lane));
    if (json) {
      console.log(JSON.stringify(found, undefined, 2));
      return;
    }
    const head = ["lane", "commit", "generation", "epoch", "written", "state"];
    console.log(
      textTable(head, [...found.map(checkpointRow), ...unseen.map((lane) => [lane, "", "", "", "", "not begun"])]),
    );
  });
}

function checkpointRow({ lane, n, generation, epoch, at, halted }: LaneCheckpoint): string[] {
  const state = halted === null ? "working" : `HALTED: ${halted}`;
  return [lane, String(n), String(generation), epoch.slice(0, 8), at, state];
}

function lag(context: CommandContext, json: boolean): Promise<void> {
  return withReadTables(context, (tables) =>
    withLanes(context, undefined, async (lanes) => {
      const lags = await lagsOf(tables, lanes);
      console.log(json ? JSON.stringify(lags, undefined, 2) : lagTable(lags));
      if (lags.some(({ halted }) => halted !== null)) context.exitWith(exitCodes.failed);
    }),
  );
}

/** A table of where lanes stand beside the log. */
export function lagTable(lags: readonly LaneLag[]): string {
  return textTable(
    ["lane", "tables", "log", "behind", "state"],
    lags.map(({ lane, n, head, behind, halted }) => {
      return [lane, String(n), String(head), String(behind), halted === null ? "working" : `HALTED: ${halted}`];
    }),
  );
}

function rebuild(
  context: CommandContext,
  names: readonly string[],
  { json, timeout }: Json & { timeout: number },
): Promise<void> {
  return withReadTables(context, (all) =>
    withLanes(context, undefined, async (allLanes) => {
      const tables = chosenTables(all, names);
      const lanes = allLanes.filter(({ id }) => tables.some(({ name }) => id.startsWith(`${name}.`)));
      const startedAt = Date.now();
      for (const { pool, model } of tables) await emptyTables(pool, model);
      const bar = progressBar("commits");
      const { signal, release } = untilSignal();
      const onLook = json === true ? {} : { onLook: bar.show };
      const result = await waitCaughtUp({ tables, lanes, timeoutMs: timeout * 1_000, signal, ...onLook }).finally(
        release,
      );
      bar.end();
      const tookSeconds = (Date.now() - startedAt) / 1_000;
      if (result.outcome !== "caughtUp") {
        process.stderr.write(`${catchUpProblem(result)}\n`);
        context.exitWith(exitCodes.failed);
      }
      const commits = result.lanes.reduce((sum, { n }) => sum + n, 0);
      if (json === true) console.log(JSON.stringify({ ...result, commits, tookSeconds }, undefined, 2));
      else console.log(`${commits} commits were replayed in ${tookSeconds.toFixed(1)} s.\n${lagTable(result.lanes)}`);
    }),
  );
}

function chosenTables(all: readonly ReadTables[], names: readonly string[]): readonly ReadTables[] {
  const known = all.map(({ name }) => name);
  const unknown = names.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined) throw new BadSetting(`There is no projection "${unknown}", only ${known.join(", ")}.`);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}
