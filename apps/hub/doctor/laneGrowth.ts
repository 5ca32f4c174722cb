import { decodeCommit, type Lane } from "@connect-hub/domain/kernel";

/** How a lane grew in the last day, or since its first commit when that is later. */
export interface LaneGrowth {
  /** How many commits, in how long. */
  readonly commits: number;
  readonly spanMs: number;
  /** About so many bytes come in a day at that rate. */
  readonly bytesPerDay: number;
  /** The part that they are of all commits: 1 for all, 0 for none. */
  readonly part: number;
}

export const dayMs = 24 * 3_600_000;
/** What happened in less than this says nothing of a day. */
const leastSpanMs = 3_600_000;
/** So many commits are looked at for their size. */
const samples = 40;
/** What the server adds to a commit, about. */
const overheadBytes = 100;

/** Undefined for a lane that is too young to tell. Reads some tens of commits. Throws what `Lane.readAt` does. */
export async function laneGrowth(lane: Lane, nowMs: number): Promise<LaneGrowth | undefined> {
  const head = await lane.lastNumber();
  const firstMs = head === 0 ? nowMs : await instantOf(lane, 1);
  const spanMs = Math.min(dayMs, nowMs - firstMs);
  if (spanMs < leastSpanMs) return undefined;
  const first = await firstSince(lane, nowMs - spanMs, head);
  const commits = head - first + 1;
  const bytes = commits * (await meanSize(lane, first, head));
  return { commits, spanMs, bytesPerDay: (bytes / spanMs) * dayMs, part: commits / head };
}

/** The first commit of `sinceMs` or later; one more than the last for none. Instants never go back. */
async function firstSince(lane: Lane, sinceMs: number, head: number): Promise<number> {
  let low = 1;
  let high = head + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await instantOf(lane, middle)) >= sinceMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function meanSize(lane: Lane, from: number, to: number): Promise<number> {
  const count = Math.min(samples, to - from + 1);
  if (count <= 0) return 0;
  let sum = 0;
  for (let at = 0; at < count; at++) sum += (await bytesAt(lane, from + Math.floor((at * (to - from)) / count))).length;
  return sum / count + overheadBytes;
}

async function instantOf(lane: Lane, n: number): Promise<number> {
  return Date.parse(decodeCommit(await bytesAt(lane, n)).at);
}

async function bytesAt(lane: Lane, n: number): Promise<Uint8Array> {
  const found = await lane.readAt(n);
  if (found === undefined) throw new Error(`${lane.id} has no commit ${n}`);
  return found.bytes;
}
