import { decodeCommit, type Lane, pause } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";

/**
 * How far each lane goes in a backup: at least to where it was at the call, and no commit without those of other lanes that it
 * rests on. What rests on another commit is never dated before it, so the lanes are cut at one instant: that of the youngest of
 * their last commits.
 */
export async function consistentHeads(lanes: readonly Lane[]): Promise<ReadonlyMap<LaneId, number>> {
  const first = await Promise.all(lanes.map((lane) => lastCommit(lane)));
  const cutMs = Math.max(0, ...first.map(({ atMs }) => atMs));
  // What is decided from now on has a later instant than the cut.
  while (Date.now() <= cutMs && Date.now() > cutMs - clockToleranceMs) await pause(1);
  const heads = await Promise.all(lanes.map(async (lane) => [lane.id, await lastUpTo(lane, cutMs)] as const));
  return new Map(heads);
}

/** The number of the last commit that is not younger than `cutMs`. */
async function lastUpTo(lane: Lane, cutMs: number): Promise<number> {
  let { n, atMs } = await lastCommit(lane);
  while (n > 0 && atMs > cutMs) {
    n -= 1;
    atMs = await instantOf(lane, n);
  }
  return n;
}

async function lastCommit(lane: Lane): Promise<{ n: number; atMs: number }> {
  const n = await lane.lastNumber();
  return { n, atMs: await instantOf(lane, n) };
}

async function instantOf(lane: Lane, n: number): Promise<number> {
  const stored = n === 0 ? undefined : await lane.readAt(n);
  return stored === undefined ? 0 : Date.parse(decodeCommit(stored.bytes).at);
}
/** Writers whose clock is further off than this step down. */
const clockToleranceMs = 2_000;
