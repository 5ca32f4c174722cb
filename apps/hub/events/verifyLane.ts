import { CommitChain, type Lane, type SignedHead } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { HeadCheck, type HeadSums, type LogFault } from "./headCheck.ts";

/** What a look at every commit of a lane found. */
export interface LaneVerdict {
  readonly lane: LaneId;
  readonly epoch: string;
  /** How many commits and events were looked at. */
  readonly commits: number;
  readonly events: number;
  /** The hash of the last commit that was looked at; empty for an empty lane. */
  readonly head: string;
  /** What the signed heads say of it. */
  readonly heads: HeadSums;
  /** The first fault, or undefined when the lane is whole. */
  readonly fault?: LogFault;
}

export interface VerifyOptions {
  readonly signal: AbortSignal;
  /** Signed heads of the lane, of whatever epoch. */
  readonly heads?: readonly SignedHead[];
  /** Told after each batch how many commits were looked at, of how many. */
  onProgress?(done: number, total: number): void;
}

/**
 * Reads a lane up to its present head and checks its chain (numbers, hashes, epochs, terms, instants, roots of the entries) and that
 * the heads fit it.
 */
export async function verifyLane(lane: Lane, { signal, heads = [], onProgress }: VerifyOptions): Promise<LaneVerdict> {
  const last = await lane.lastNumber();
  // An archive may have it go on in another one meanwhile.
  const { epoch: present } = lane;
  const chain = new CommitChain(lane.id);
  const check = new HeadCheck(heads);
  const verdict = (fault?: LogFault): LaneVerdict => {
    return { lane: lane.id, epoch: present, ...chain.sums, heads: check.sums, ...(fault && { fault }) };
  };
  if (last === 0) return verdict(check.end());
  for await (const batch of lane.read(1, signal)) {
    for (const { n, bytes } of batch) {
      const what = chain.take(bytes);
      const fault = what === undefined ? chain.last && check.take(chain.last, chain.sums.head) : { n, what };
      if (fault !== undefined) return verdict(fault);
      if (n < last) continue;
      const epoch = chain.last?.epoch;
      if (epoch === present) return verdict(check.end());
      return verdict({ n, what: `it is of epoch ${epoch}, but the lane is in ${present}` });
    }
    onProgress?.(chain.sums.commits, last);
  }
  signal.throwIfAborted();
  return verdict();
}

/** A log that goes on before what was signed of it was restored, or cut off by somebody who wants it to look so: only people know which. */
export function unlessRestored(verdict: LaneVerdict): LaneVerdict {
  const { fault, heads, commits } = verdict;
  if (fault !== undefined || heads.restoredOver === 0) return verdict;
  const what = `${heads.restoredOver} heads are of commits that are gone, as after a restore. If this box was restored from a backup, say so by: --restored`;
  return { ...verdict, fault: { n: commits, what } };
}
