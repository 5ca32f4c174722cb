import { type Commit, decodeCommit, type Lane, LogUnavailable } from "@connect-hub/domain/kernel";

/** The commit `n` of a lane. Throws `LogUnavailable` when it is not there. */
async function commitOf(lane: Pick<Lane, "id" | "readAt">, n: number): Promise<Commit> {
  const stored = await lane.readAt(n);
  if (stored === undefined) throw new LogUnavailable(`The log has no commit ${n} of ${lane.id}.`);
  return decodeCommit(stored.bytes);
}

/** The number of the last commit of a lane that is not later than `ms`; 0 for none. Some reads only: instants never go back. */
export async function lastCommitBy(lane: Lane, ms: number): Promise<number> {
  let low = 0;
  let high = await lane.lastNumber();
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (Date.parse((await commitOf(lane, middle)).at) <= ms) low = middle;
    else high = middle - 1;
  }
  return low;
}
