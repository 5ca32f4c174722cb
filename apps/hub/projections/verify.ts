import { factsVersionOf, isOfLane, type Lane } from "@connect-hub/domain/kernel";
import type { Context } from "@connect-hub/domain/values";
import { openSnapshot } from "@connect-hub/postgres";
import { type LaneCheckpoint, type TablesSnapshot, type TablesVerdict, verifyTables } from "@connect-hub/projections";
import { BadSetting } from "@connect-hub/runtime/settings";
import { type Command, InvalidArgumentError } from "commander";
import type { Connections } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { withVault } from "../events/reveal.ts";
import { exitCodes } from "../exitCodes.ts";
import { withLanes } from "../lanes.ts";
import { progressBar } from "../progressBar.ts";
import { type ReadTables, withReadTables } from "../readTables.ts";
import { textTable } from "../table.ts";
import { untilSignal } from "../untilSignal.ts";
import { chosenTables } from "./chosenTables.ts";

/** Measured: 650 bytes of memory a row of a short message, so about 330 MB. */
const defaultRows = 500_000;

interface Verified extends TablesVerdict {
  readonly projection: Context;
  readonly positions: readonly Pick<LaneCheckpoint, "lane" | "epoch" | "n">[];
}

/** `hub projections verify`: whether the tables are what the log says. */
export function registerVerify(projections: Command, context: CommandContext): void {
  projections
    .command("verify")
    .description("compare every row of the served tables with a fold of the log at their position, in bounded memory")
    .argument("[projections...]", "which ones (default: all)")
    .option(
      "--rows <count>",
      "so many rows are held in memory; the log is read once for each so many",
      rowCount,
      defaultRows,
    )
    .option("--json", "for programs")
    .action((names: readonly string[], options: { readonly rows: number; readonly json?: true }) =>
      verify(context, names, options),
    );
}

function verify(
  context: CommandContext,
  names: readonly string[],
  { rows, json }: { readonly rows: number; readonly json?: true },
): Promise<void> {
  return withReadTables(context, (all, connections) =>
    withLanes(context, undefined, async (lanes) => {
      const { signal, release } = untilSignal();
      const verified: Verified[] = [];
      try {
        for (const one of chosenTables(all, names))
          verified.push(await verifyOne(one, { lanes, connections, rowsAtATime: rows, signal }));
      } finally {
        release();
      }
      console.log(json === true ? JSON.stringify(verified, undefined, 2) : verdictText(verified));
      if (verified.some(({ difference }) => difference !== null)) context.exitWith(exitCodes.failed);
    }),
  );
}

async function verifyOne(
  { name, model, pool }: ReadTables,
  options: {
    readonly lanes: readonly Lane[];
    readonly connections: Connections;
    readonly rowsAtATime: number;
    readonly signal: AbortSignal;
  },
): Promise<Verified> {
  const snapshot = await openSnapshot(pool, model);
  const bar = progressBar(`commits of ${name}`);
  try {
    assertComparable(snapshot, factsVersionOf(model), options.lanes);
    const laneOf = (id: Lane["id"]): Lane => options.lanes.find((lane) => lane.id === id) ?? never();
    const verdict = await withVault(options.connections, (vault) =>
      verifyTables({ ...options, snapshot, model, vault, laneOf, onProgress: bar.show }),
    );
    const positions = snapshot.checkpoints.map(({ lane, epoch, n }) => ({ lane, epoch, n }));
    return { projection: name, positions, ...verdict };
  } finally {
    bar.end();
    await snapshot.close();
  }
}

/** Throws `BadSetting` when a fold by this code can't be what these tables hold. */
function assertComparable({ checkpoints }: TablesSnapshot, factsVersion: string, lanes: readonly Lane[]): void {
  for (const checkpoint of checkpoints.filter(({ n }) => n > 0)) {
    const lane = lanes.find(({ id }) => id === checkpoint.lane);
    if (lane === undefined || !isOfLane(lane, checkpoint)) {
      throw new BadSetting(
        `The tables are of epoch ${checkpoint.epoch} of ${checkpoint.lane}, the log is of ${lane?.epoch ?? "none"}: fill them by npm run hub -- projections rebuild`,
      );
    }
    if (checkpoint.factsVersion !== factsVersion) {
      throw new BadSetting(
        `The tables of ${checkpoint.lane} were filled by another version of this code (${checkpoint.factsVersion}, not ${factsVersion}): rebuild them, or use that version.`,
      );
    }
  }
}

function verdictText(verified: readonly Verified[]): string {
  const head = ["projection", "at", "rows", "passes", "verdict"];
  const table = textTable(
    head,
    verified.map(({ projection, positions, rows, passes, parked, difference }) => {
      const at = positions.map(({ lane, n }) => `${lane}:${n}`).join(", ");
      const sameAs = difference === null ? "= fold of the log" : "NOT the fold of the log";
      const verdict = parked === 0 ? sameAs : `${sameAs}, ${parked} subjects parked`;
      return [projection, at, String(rows), String(passes), verdict];
    }),
  );
  const differences = verified.flatMap(({ difference }) => {
    if (difference === null) return [];
    const { table: name, key, inTables, inFold } = difference;
    return [
      `First difference: ${name}, key ${key}`,
      `  in the tables: ${JSON.stringify(inTables)}`,
      `  by the log:    ${JSON.stringify(inFold)}`,
      "Is something of it parked? See: npm run hub -- projections parked. Else fill the tables anew: npm run hub -- projections rebuild",
    ];
  });
  return [table, ...differences].join("\n");
}

function never(): never {
  throw new Error("each lane was looked for before");
}

function rowCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1_000)
    throw new InvalidArgumentError("a whole number of rows, at least 1000.");
  return count;
}
