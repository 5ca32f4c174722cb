import {
  type Change,
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
  /** Which changes count; all when it is left out. */
  keeps?(change: Change): boolean;
  /** Ends it early. */
  readonly signal?: AbortSignal;
  /** Told now and then of the last commit that was folded. */
  onProgress?(n: number): void;
}

/**
 * Applies a lane's commits up to `to`, one after another, to tables in memory. The subjects of which this code can't apply an event: their
 * rows are of the commit before it.
 */
export async function foldLane(tables: MemoryTables, options: FoldLaneOptions): Promise<readonly ParkedMark[]> {
  const { lane, model, vault, to, keeps, signal, onProgress } = options;
  const fold = new ParkingFold(model);
  if (to === 0) return [];
  const done = new AbortController();
  const until = signal === undefined ? done.signal : AbortSignal.any([done.signal, signal]);
  for await (const batch of lane.read(1, until)) {
    const commits = batch.filter(({ n }) => n <= to).map(({ bytes }) => decodeCommit(bytes));
    const keys = await vault.byId(sealedKeyIds(commits, model));
    for (const commit of commits) {
      const { changes } = fold.take(commit, keys);
      tables.apply(keeps === undefined ? changes : changes.filter(keeps));
    }
    const last = commits.at(-1)?.n ?? to;
    onProgress?.(last);
    if (last >= to) done.abort();
  }
  return [...fold.marks];
}
