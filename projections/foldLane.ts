import {
  type ContextModel,
  changesOfCommit,
  decodeCommit,
  type Lane,
  type MemoryTables,
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

/** Applies a lane's commits up to `to`, one after another, to tables in memory. */
export async function foldLane(tables: MemoryTables, options: FoldLaneOptions): Promise<void> {
  const { lane, model, vault, to, onProgress } = options;
  if (to === 0) return;
  const done = new AbortController();
  for await (const batch of lane.read(1, done.signal)) {
    const commits = batch.filter(({ n }) => n <= to).map(({ bytes }) => decodeCommit(bytes));
    const keys = await vault.byId(sealedKeyIds(commits, model));
    for (const commit of commits) tables.apply(changesOfCommit(commit, model, keys));
    const last = commits.at(-1)?.n ?? to;
    onProgress?.(last);
    if (last >= to) done.abort();
  }
}
