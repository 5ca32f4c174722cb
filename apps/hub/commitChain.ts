import {
  type Commit,
  CorruptCommit,
  decodeCommit,
  epochFault,
  hashCommit,
  rootsHold,
} from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";

/** The commits of a lane one after another, from the first on: numbers, hashes, epochs, terms, instants, roots of the entries. */
export class CommitChain {
  readonly #lane: LaneId;
  #events = 0;
  #hash = "";
  #last: Commit | undefined;

  constructor(lane: LaneId) {
    this.#lane = lane;
  }

  /** How many commits and events were taken; the hash of the last one, empty for none. */
  get sums(): { readonly commits: number; readonly events: number; readonly head: string } {
    return { commits: this.#last?.n ?? 0, events: this.#events, head: this.#hash };
  }

  /** The last commit that was taken. */
  get last(): Commit | undefined {
    return this.#last;
  }

  /** Takes the next commit; what is wrong with it, if anything: then it was not taken. */
  take(bytes: Uint8Array): string | undefined {
    const commit = decodeOrExplain(bytes);
    if (typeof commit === "string") return commit;
    const fault = this.#faultOf(commit);
    if (fault !== undefined) return fault;
    this.#events += commit.entries.reduce((sum, entry) => sum + entry.events.length, 0);
    this.#hash = hashCommit(bytes);
    this.#last = commit;
    return undefined;
  }

  #faultOf(commit: Commit): string | undefined {
    const before = this.#last;
    if (commit.lane !== this.#lane) return `it says that it is of lane ${commit.lane}`;
    // Before a restore the lane was in other epochs; each begins with a commit that names the one before.
    const otherEpoch = epochFault(commit, before?.epoch);
    if (otherEpoch !== undefined) return otherEpoch;
    if (commit.n !== (before?.n ?? 0) + 1) return `it says that it is commit ${commit.n}`;
    if (commit.prevHash !== this.#hash) return "it does not follow the commit before it";
    if (before !== undefined && commit.at < before.at) return "it is older than the commit before it";
    if (before !== undefined && commit.term < before.term) return "its term is older than that of the commit before it";
    if (!rootsHold(commit)) return "an entry's root does not fit its events";
    return undefined;
  }
}

function decodeOrExplain(bytes: Uint8Array): Commit | string {
  try {
    return decodeCommit(bytes);
  } catch (error) {
    if (error instanceof CorruptCommit) return error.message;
    throw error;
  }
}
