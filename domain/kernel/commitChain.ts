import type { LaneId } from "../values/ids.ts";
import { checkedCommit } from "./checkedCommit.ts";
import { type Commit, hashCommit } from "./commit.ts";
import { epochFault } from "./epochBegan.ts";

/** A commit that is known to be sound, after which a chain goes on. */
export type ChainStart = Pick<Commit, "n" | "epoch"> & {
  readonly hash: string;
  /** Its instant, where that is known. */
  readonly at?: string;
};

/**
 * The commits of a lane one after another, from the first on or after one that is known: numbers, hashes, epochs, terms, instants,
 * roots of the entries.
 */
export class CommitChain {
  readonly #lane: LaneId;
  #before: ChainStart | undefined;
  #events = 0;
  #last: Commit | undefined;

  constructor(lane: LaneId, after?: ChainStart) {
    this.#lane = lane;
    this.#before = after;
  }

  /** The number of the last commit and its hash, 0 and empty for none; how many events were taken. */
  get sums(): { readonly commits: number; readonly events: number; readonly head: string } {
    return { commits: this.#before?.n ?? 0, events: this.#events, head: this.#before?.hash ?? "" };
  }

  /** The last commit that was taken. */
  get last(): Commit | undefined {
    return this.#last;
  }

  /** Takes the next commit; what is wrong with it, if anything: then it was not taken. */
  take(bytes: Uint8Array): string | undefined {
    const commit = checkedCommit(bytes);
    if (typeof commit === "string") return commit;
    const fault = this.#faultOf(commit);
    if (fault !== undefined) return fault;
    for (const { events } of commit.entries) this.#events += events.length;
    this.#before = { n: commit.n, epoch: commit.epoch, at: commit.at, hash: hashCommit(bytes) };
    this.#last = commit;
    return undefined;
  }

  #faultOf(commit: Commit): string | undefined {
    const before = this.#before;
    if (commit.lane !== this.#lane) return `it says that it is of lane ${commit.lane}`;
    // Before a restore the lane was in other epochs; each begins with a commit that names the one before.
    const otherEpoch = epochFault(commit, before?.epoch);
    if (otherEpoch !== undefined) return otherEpoch;
    if (commit.n !== (before?.n ?? 0) + 1) return `it says that it is commit ${commit.n}`;
    if (commit.prevHash !== (before?.hash ?? "")) return "it does not follow the commit before it";
    if (before?.at !== undefined && commit.at < before.at) return "it is older than the commit before it";
    if (this.#last !== undefined && commit.term < this.#last.term)
      return "its term is older than that of the commit before it";
    return undefined;
  }
}
