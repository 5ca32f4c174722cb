import { CommitChain } from "./commitChain.ts";
import { MerkleTree } from "./merkleTree.ts";
import type { Lane, StoredCommit } from "./ports.ts";
import { addEntries, type SignedHead, type SigningKey, signHead } from "./signedHead.ts";

/** The log does not go on from what was signed last: it was changed behind its writers' backs. Nothing more is signed. */
export class LogRewritten extends Error {
  readonly code = "LogRewritten";
}

export interface HeadSignerOptions {
  readonly lane: Pick<Lane, "id" | "epoch" | "lastNumber" | "read">;
  readonly key: SigningKey;
  /** The last head of the lane's epoch; undefined when there is none, and all of the lane is read once. */
  readonly last: SignedHead | undefined;
  readonly now: () => number;
}

/** Signs the heads of a lane, one after another, each only when the lane goes on from the one before. */
export class HeadSigner {
  readonly #options: HeadSignerOptions;
  readonly #chain: CommitChain;
  readonly #tree: MerkleTree;

  constructor(options: HeadSignerOptions) {
    const { lane, last } = options;
    this.#options = options;
    this.#chain = new CommitChain(lane.id, last && { n: last.n, epoch: last.epoch, hash: last.hash });
    this.#tree = new MerkleTree(last?.size, last?.peaks);
  }

  /**
   * Reads what came since the last head, and signs where the lane is; undefined when nothing came, or `signal` aborted. Throws
   * `LogRewritten`, and `LogUnavailable`.
   */
  async next(signal: AbortSignal): Promise<SignedHead | undefined> {
    const { lane, key, now } = this.#options;
    const from = this.#chain.sums.commits;
    const last = await lane.lastNumber();
    if (last < from) throw new LogRewritten(`${lane.id} ends at commit ${last}, but commit ${from} was signed`);
    if (last === from) return undefined;
    for await (const batch of lane.read(from + 1, signal)) {
      for (const commit of batch) await this.#take(commit);
      if (this.#chain.sums.commits >= last) break;
    }
    const { commits: n, head: hash } = this.#chain.sums;
    if (n < last) return undefined;
    return signHead({ lane: lane.id, epoch: lane.epoch, n, hash, at: new Date(now()).toISOString() }, this.#tree, key);
  }

  async #take({ n, bytes }: StoredCommit): Promise<void> {
    const fault = this.#chain.take(bytes);
    if (fault !== undefined) throw new LogRewritten(`commit ${n} of ${this.#options.lane.id}: ${fault}`);
    if (this.#chain.last !== undefined) addEntries(this.#tree, this.#chain.last);
    // The lane's writer works beside this.
    if (n % breatheEvery === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

const breatheEvery = 8;
