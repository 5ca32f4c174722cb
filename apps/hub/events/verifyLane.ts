import { CommitChain, type Lane } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";

/** What a look at every commit of a lane found. */
export interface LaneVerdict {
  readonly lane: LaneId;
  readonly epoch: string;
  /** How many commits and events were looked at. */
  readonly commits: number;
  readonly events: number;
  /** The hash of the last commit that was looked at; empty for an empty lane. */
  readonly head: string;
  /** The first fault, or undefined when the lane is whole. */
  readonly fault?: { readonly n: number; readonly what: string };
}

/** Reads a lane up to its present head and checks its chain: numbers, hashes, epochs, terms, instants, roots of the entries. */
export async function verifyLane(lane: Lane, signal: AbortSignal): Promise<LaneVerdict> {
  const last = await lane.lastNumber();
  const chain = new CommitChain(lane.id);
  const verdict = () => ({ lane: lane.id, epoch: lane.epoch, ...chain.sums });
  if (last === 0) return verdict();
  for await (const batch of lane.read(1, signal)) {
    for (const { n, bytes } of batch) {
      const what = chain.take(bytes);
      if (what !== undefined) return { ...verdict(), fault: { n, what } };
      if (n !== last) continue;
      const epoch = chain.last?.epoch;
      if (epoch === lane.epoch) return verdict();
      return { ...verdict(), fault: { n, what: `it is of epoch ${epoch}, but the lane is in ${lane.epoch}` } };
    }
  }
  return verdict();
}
