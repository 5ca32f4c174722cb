import { isOfLane, type Lane, MemoryTables } from "@connect-hub/domain/kernel";
import { contextOf, type LaneId } from "@connect-hub/domain/values";
import { openSnapshot } from "@connect-hub/postgres";
import {
  digestFold,
  digestOfDigests,
  digestTables,
  firstDifference,
  foldLane,
  type TableDifference,
  type TableDigest,
  type TablesSnapshot,
} from "@connect-hub/projections";
import { BadSetting } from "@connect-hub/runtime/settings";
import type { Command } from "commander";
import type { Connections } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { withVault } from "../events/reveal.ts";
import { parseVector } from "../events/vector.ts";
import { exitCodes } from "../exitCodes.ts";
import { withLanes } from "../lanes.ts";
import { progressBar } from "../progressBar.ts";
import { type ReadTables, withReadTables } from "../readTables.ts";
import { textTable } from "../table.ts";

interface DigestOptions {
  readonly fold?: true;
  readonly at?: string;
  readonly json?: true;
}

/** What is printed: where the tables stood, and what they held there. */
interface DigestReport {
  /** Over all tables. */
  readonly digest: string;
  readonly positions: readonly { readonly lane: LaneId; readonly epoch: string; readonly n: number }[];
  readonly tables: readonly TableDigest[];
  /** With `--fold`: whether the tables are the fold of the log, or the first row by which they are not. */
  readonly fold?: { readonly same: boolean; readonly difference?: TableDifference };
}

/** `hub digest`: what the read tables hold, as a number to compare; with `--fold`, compared with the log. */
export function registerDigest(program: Command, context: CommandContext): void {
  program
    .command("digest")
    .description("SHA-256 over the rows of each read table and over all of them, at one position of the log")
    .option("--fold", "fold the log up to that position in memory, and compare every row with it")
    .option("--at <position>", "of a fold of the log at LANE:N,… or at an instant, whatever the tables hold; in memory")
    .option("--json", "for programs")
    .action((options: DigestOptions) =>
      withReadTables(context, async (tables, connections) => {
        if (options.fold === true && options.at !== undefined)
          throw new BadSetting("--fold compares the tables where they are; --at folds the log alone: say one of them.");
        const report = await reportFor(options, { context, tables, connections });
        console.log(options.json === true ? JSON.stringify(report, undefined, 2) : reportText(report));
        if (report.fold?.same === false) context.exitWith(exitCodes.failed);
      }),
    );
}

function reportFor(
  { fold, at }: DigestOptions,
  {
    context,
    tables,
    connections,
  }: { context: CommandContext; tables: readonly ReadTables[]; connections: Connections },
): Promise<DigestReport> {
  if (at !== undefined) return digestAt(at, context, { tables, connections });
  return fold === true ? withFold(context, tables, connections) : digestNow(tables);
}

/** What the tables held, or would hold, at a position of the log: a fold of it in memory. */
async function digestAt(
  position: string,
  context: CommandContext,
  { tables, connections }: { readonly tables: readonly ReadTables[]; readonly connections: Connections },
): Promise<DigestReport> {
  const parts: Part[] = [];
  await withLanes(context, undefined, async (lanes) => {
    const vector = await parseVector(position, lanes);
    for (const { name, model } of tables) {
      const own = lanes.filter(({ id }) => contextOf(id) === name);
      const fold = new MemoryTables(model.tables);
      const bar = progressBar(`commits of ${name}`);
      await withVault(connections, async (vault) => {
        for (const lane of own) {
          const to = vector.get(lane.id) ?? 0;
          await foldLane(fold, { lane, model, vault, to, onProgress: (n) => bar.show(n, to) });
        }
      }).finally(bar.end);
      const positions = own.map(({ id, epoch }) => ({ lane: id, epoch, n: vector.get(id) ?? 0 }));
      parts.push({ positions, tables: digestFold(fold, model), isFolded: false });
    }
  });
  return reportOf(parts);
}

/** What the tables hold now, without a look at the log. */
export async function digestNow(tables: readonly ReadTables[]): Promise<DigestReport> {
  return reportOf(await Promise.all(tables.map((one) => inSnapshot(one, (snapshot) => partOf(one, snapshot)))));
}

async function withFold(
  context: CommandContext,
  tables: readonly ReadTables[],
  connections: Connections,
): Promise<DigestReport> {
  const parts: Part[] = [];
  await withLanes(context, undefined, async (lanes) => {
    const log = { lanes, connections };
    for (const one of tables) parts.push(await inSnapshot(one, (snapshot) => foldedPart(one, snapshot, log)));
  });
  return reportOf(parts);
}

/** What one context adds to the report. */
interface Part {
  readonly positions: DigestReport["positions"];
  readonly tables: readonly TableDigest[];
  readonly difference?: TableDifference | undefined;
  readonly isFolded: boolean;
}

async function inSnapshot<T>({ pool, model }: ReadTables, work: (snapshot: TablesSnapshot) => Promise<T>): Promise<T> {
  const snapshot = await openSnapshot(pool, model);
  try {
    return await work(snapshot);
  } finally {
    await snapshot.close();
  }
}

async function partOf({ model }: ReadTables, snapshot: TablesSnapshot): Promise<Part> {
  const positions = snapshot.checkpoints.map(({ lane, epoch, n }) => ({ lane, epoch, n }));
  return { positions, tables: await digestTables(snapshot, model), isFolded: false };
}

async function foldedPart(
  one: ReadTables,
  snapshot: TablesSnapshot,
  { lanes, connections }: { readonly lanes: readonly Lane[]; readonly connections: Connections },
): Promise<Part> {
  const fold = new MemoryTables(one.model.tables);
  const bar = progressBar("commits");
  await withVault(connections, async (vault) => {
    for (const checkpoint of snapshot.checkpoints) {
      const { lane: id, epoch, n } = checkpoint;
      const lane = lanes.find((each) => each.id === id);
      if (lane === undefined || (n > 0 && !isOfLane(lane, checkpoint)))
        throw new Error(`the tables are of epoch ${epoch} of ${id}, the log is of ${lane?.epoch ?? "none"}`);
      await foldLane(fold, { lane, model: one.model, vault, to: n, onProgress: (done) => bar.show(done, n) });
    }
  }).finally(bar.end);
  const difference = await firstDifference(snapshot, fold, one.model);
  return { ...(await partOf(one, snapshot)), difference, isFolded: true };
}

function reportOf(parts: readonly Part[]): DigestReport {
  const tables = parts.flatMap((part) => part.tables);
  const difference = parts.find((part) => part.difference !== undefined)?.difference;
  const fold = difference === undefined ? { same: true } : { same: false, difference };
  return {
    digest: digestOfDigests(tables),
    positions: parts.flatMap((part) => part.positions),
    tables,
    ...(parts.every((part) => part.isFolded) && { fold }),
  };
}

function reportText({ digest, positions, tables, fold }: DigestReport): string {
  const at = positions.map(({ lane, n }) => `${lane}:${n}`).join(", ");
  const rows = tables.map((one) => [one.table, String(one.rows), one.digest]);
  const lines = [`At ${at}:`, textTable(["table", "rows", "SHA-256"], [...rows, ["all", "", digest]])];
  if (fold?.same === true) lines.push("tables = fold of the log");
  if (fold?.difference !== undefined) {
    const { table, key, inTables, inFold } = fold.difference;
    lines.push(`The tables are NOT the fold of the log. First difference: ${table}, key ${key}`);
    lines.push(`  in the tables: ${JSON.stringify(inTables)}`, `  by the log:    ${JSON.stringify(inFold)}`);
  }
  return lines.join("\n");
}
