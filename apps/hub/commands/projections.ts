import type { Command } from "commander";
import { lanesOf } from "../box/migrate.ts";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";
import { withLanes } from "../lanes.ts";
import { lanePaces, paceTable, stateText } from "../projections/lanePace.ts";
import { registerParked } from "../projections/parked.ts";
import { registerVerify } from "../projections/verify.ts";
import { type LaneLag, type ReadTables, withReadTables } from "../readTables.ts";
import { textTable } from "../table.ts";
import { registerGenerations } from "./generations.ts";

interface Json {
  readonly json?: true;
}

/** `hub projections …`: the read tables. */
export function registerProjections(program: Command, context: CommandContext): void {
  const projections = program
    .command("projections")
    .description("the read tables: where they stand, filling them anew");
  projections
    .command("list")
    .description("the checkpoint of each lane in each generation of the tables, and why it has halted if it has")
    .option("--json", "for programs")
    .action(({ json }: Json) => list(context, json === true));
  projections
    .command("lag")
    .description(
      "how many commits the tables of each lane are behind the log, how fast they get on, and when they are there",
    )
    .option("--json", "for programs")
    .action(({ json }: Json) => lag(context, json === true));
  registerParked(projections, context);
  registerVerify(projections, context);
  registerGenerations(projections, context);
}

function list(context: CommandContext, json: boolean): Promise<void> {
  return withReadTables(context, async (tables, { roomLanes }) => {
    const found = await listed(tables);
    const unseen = lanesOf(roomLanes).filter((lane) => !found.some((one) => one.lane === lane));
    if (json) {
      console.log(JSON.stringify(found, undefined, 2));
      return;
    }
    const head = ["lane", "commit", "generation", "tables", "epoch", "written", "state"];
    const rows = found.map((one) => [
      one.lane,
      String(one.n),
      String(one.generation),
      one.tables,
      one.epoch.slice(0, 8),
      one.at,
      stateText(one),
    ]);
    console.log(textTable(head, [...rows, ...unseen.map((lane) => [lane, "", "", "", "", "", "not begun"])]));
  });
}

/** The checkpoints of the served tables, then those of the others. */
async function listed(all: readonly ReadTables[]) {
  const found = await Promise.all(
    all.map(async ({ generations }) => {
      const rows = [];
      for (const { number, state } of await generations.list())
        for (const one of await generations.checkpoints(number)) rows.push({ ...one, tables: state });
      return rows;
    }),
  );
  const served = (tables: string) => tables === "served";
  return [...found.flat().filter((one) => served(one.tables)), ...found.flat().filter((one) => !served(one.tables))];
}

function lag(context: CommandContext, json: boolean): Promise<void> {
  return withReadTables(context, (tables) =>
    withLanes(context, undefined, async (lanes) => {
      const paces = await lanePaces(tables, lanes);
      const ordered = [
        ...paces.filter(({ state }) => state === "served"),
        ...paces.filter(({ state }) => state !== "served"),
      ];
      console.log(json ? JSON.stringify(ordered, undefined, 2) : paceTable(ordered));
      if (paces.some(({ state, halted }) => state === "served" && halted !== null)) context.exitWith(exitCodes.failed);
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
