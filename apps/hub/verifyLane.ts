import {
  type Commit,
  CorruptCommit,
  decodeCommit,
  epochFault,
  hashCommit,
  type Lane,
  rootsHold,
} from "@connect-hub/domain/kernel";
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
  let [commits, events, head] = [0, 0, ""];
  let before: Commit | undefined;
  const verdict = () => ({ lane: lane.id, epoch: lane.epoch, commits, events, head });
  if (last === 0) return verdict();
  for await (const batch of lane.read(1, signal)) {
    for (const { n, bytes } of batch) {
      const commit = decodeOrExplain(bytes);
      const what = typeof commit === "string" ? commit : faultOf(commit, { lane, n, head, before });
      if (what !== undefined || typeof commit === "string") return { ...verdict(), fault: { n, what: what ?? "" } };
      commits += 1;
      events += commit.entries.reduce((sum, entry) => sum + entry.events.length, 0);
      head = hashCommit(bytes);
      before = commit;
      if (n !== last) continue;
      if (commit.epoch === lane.epoch) return verdict();
      return { ...verdict(), fault: { n, what: `it is of epoch ${commit.epoch}, but the lane is in ${lane.epoch}` } };
    }
  }
  return verdict();
}

interface Place {
  readonly lane: Lane;
  readonly n: number;
  /** The hash of the commit before. */
  readonly head: string;
  readonly before: Commit | undefined;
}

function faultOf(commit: Commit, { lane, n, head, before }: Place): string | undefined {
  if (commit.lane !== lane.id) return `it says that it is of lane ${commit.lane}`;
  if (commit.n !== n) return `it says that it is commit ${commit.n}`;
  // Before a restore the lane was in other epochs; each begins with a commit that names the one before.
  const otherEpoch = epochFault(commit, before?.epoch);
  if (otherEpoch !== undefined) return otherEpoch;
  if (commit.prevHash !== head) return "it does not follow the commit before it";
  if (before !== undefined && commit.at < before.at) return "it is older than the commit before it";
  if (before !== undefined && commit.term < before.term) return "its term is older than that of the commit before it";
  if (!rootsHold(commit)) return "an entry's root does not fit its events";
  return undefined;
}

function decodeOrExplain(bytes: Uint8Array): Commit | string {
  try {
    return decodeCommit(bytes);
  } catch (error) {
    if (error instanceof CorruptCommit) return error.message;
    throw error;
  }
}
