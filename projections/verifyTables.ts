import {
  type Change,
  type ContextModel,
  type Lane,
  MemoryTables,
  type Table,
  type Vault,
} from "@connect-hub/domain/kernel";
import { foldLane } from "./foldLane.ts";
import { firstDifference, type TableDifference } from "./tableDigests.ts";
import type { TablesSnapshot } from "./tablesSnapshot.ts";

export interface VerifyTablesOptions {
  readonly snapshot: TablesSnapshot;
  readonly model: ContextModel;
  readonly vault: Vault;
  /** The lane of that name, in the epoch of the snapshot's checkpoint or one that goes on from it. */
  laneOf(id: Lane["id"]): Lane;
  /** About so many rows are held in memory at a time. */
  readonly rowsAtATime: number;
  readonly signal: AbortSignal;
  /** Told now and then how many commits were folded, of how many in all passes. */
  onProgress?(done: number, total: number): void;
}

/** What a comparison of tables with the log found. */
export interface TablesVerdict {
  readonly rows: number;
  /** How often the log was read. */
  readonly passes: number;
  /** How many subjects the fold parks too: their rows are compared as they were before. */
  readonly parked: number;
  readonly difference: TableDifference | null;
}

/**
 * Compares tables with a fold of the log at their position, in bounded memory: the rows are divided into parts by a hash of their keys,
 * and for each part the log is read once and only its rows are folded. Ends at the first part that differs.
 */
export async function verifyTables(options: VerifyTablesOptions): Promise<TablesVerdict> {
  const { snapshot, model, rowsAtATime, signal } = options;
  let rows = 0;
  for (const table of model.tables) rows += await snapshot.count(table);
  const parts = Math.max(1, Math.ceil(rows / rowsAtATime));
  const total = parts * snapshot.checkpoints.reduce((sum, { n }) => sum + n, 0);
  let done = 0;
  let parked = 0;
  const onProgress = (n: number): void => options.onProgress?.(done + n, total);
  for (let part = 0; part < parts; part++) {
    const isIn = (table: Table, key: readonly string[]): boolean => partOf(table.name, key, parts) === part;
    parked = 0;
    const fold = await foldPart({ ...options, onProgress }, isIn, (n, marks) => {
      done += n;
      parked += marks;
    });
    signal.throwIfAborted();
    const difference = await firstDifference(partOfSnapshot(snapshot, isIn), fold, model);
    if (difference !== undefined) return { rows, passes: part + 1, parked, difference };
  }
  return { rows, passes: parts, parked, difference: null };
}

type IsIn = (table: Table, key: readonly string[]) => boolean;

async function foldPart(
  {
    snapshot,
    model,
    vault,
    laneOf,
    signal,
    onProgress,
  }: Omit<VerifyTablesOptions, "onProgress"> & { onProgress(n: number): void },
  isIn: IsIn,
  onLane: (commits: number, parked: number) => void,
): Promise<MemoryTables> {
  const tables = new Map(model.tables.map((table) => [table.name, table]));
  const fold = new MemoryTables(model.tables);
  const keeps = (change: Change): boolean => {
    const table = tables.get(change.table);
    // What deletes by a column other than the key reaches rows of any part.
    if (table === undefined || change.op === "deleteWhere") return true;
    return isIn(table, change.op === "insert" ? table.key.map((column) => String(change.row[column])) : change.key);
  };
  for (const { lane, n } of snapshot.checkpoints) {
    const marks = await foldLane(fold, { lane: laneOf(lane), model, vault, to: n, signal, keeps, onProgress });
    onLane(n, marks.length);
  }
  return fold;
}

function partOfSnapshot(snapshot: TablesSnapshot, isIn: IsIn): TablesSnapshot {
  return {
    ...snapshot,
    async *rows(table) {
      for await (const some of snapshot.rows(table))
        yield some.filter((row) =>
          isIn(
            table,
            table.key.map((column) => String(row[column])),
          ),
        );
    },
  };
}

/** Which part a row is in, by its key: FNV-1a. */
function partOf(table: string, key: readonly string[], parts: number): number {
  if (parts === 1) return 0;
  const text = `${table}/${key.join("|")}`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0) % parts;
}
