import {
  type ContextModel,
  decodeCommit,
  type Lane,
  type MemoryTables,
  type ParkedMark,
  ParkingFold,
  sealedKeyIds,
  type Vault,
} from "@connect-hub/domain/kernel";

export interface FoldLaneOptions {
  readonly lane: Lane;
  readonly model: ContextModel;
  readonly vault: Vault;
  /** The last commit to fold. */
  readonly to: number;
  /** Told now and then of the last commit that was folded. */
  onProgress?(n: number): void;
}

/**
 * Applies a lane's commits up to `to`, one after another, to tables in memory. The subjects of which this code can't apply an event: their
 * rows are of the commit before it.
 */
export async function foldLane(tables: MemoryTables, options: FoldLaneOptions): Promise<readonly ParkedMark[]> {
  const { lane, model, vault, to, onProgress } = options;
  const fold = new ParkingFold(model);
  if (to === 0) return [];
  const done = new AbortController();
  for await (const batch of lane.read(1, done.signal)) {
    const commits = batch.filter(({ n }) => n <= to).map(({ bytes }) => decodeCommit(bytes));
    const keys = await vault.byId(sealedKeyIds(commits, model));
    for (const commit of commits) tables.apply(fold.take(commit, keys).changes);
    const last = commits.at(-1)?.n ?? to;
    onProgress?.(last);
    if (last >= to) done.abort();
  }
  return [...fold.marks];
}
