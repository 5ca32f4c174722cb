import { createHash } from "node:crypto";
import { nodeHash } from "./merkle.ts";

/** The hashes beside the way from a leaf to the root, from below (hex): the audit path of RFC 6962 (2.1.1). */
export type AuditPath = string[];

interface Subtree {
  readonly hash: Buffer;
  /** How many leaves it has: a power of two. */
  readonly leaves: number;
  /** The paths that lead through it. */
  readonly paths: readonly AuditPath[];
}

/**
 * A tree as `merkleRoot` has it that grows leaf by leaf and keeps only its peaks: the roots of the largest whole subtrees, one for
 * each binary digit of its size. With them it goes on where another one ended, without its leaves.
 */
export class MerkleTree {
  readonly #peaks: Subtree[] = [];
  #size = 0;

  /** The tree of `size` leaves with these peaks (hex), from the left; without them an empty one. Throws a `RangeError` when they don't fit. */
  constructor(size = 0, peaks: readonly string[] = []) {
    // One peak for each 1 among the binary digits.
    const digits = size.toString(2).replaceAll("0", "").length;
    if (digits !== peaks.length)
      throw new RangeError(`a tree of ${size} leaves has ${digits} peaks, not ${peaks.length}`);
    let left = size;
    for (const peak of peaks) {
      const leaves = 2 ** Math.floor(Math.log2(left));
      this.#peaks.push({ hash: Buffer.from(peak, "hex"), leaves, paths: [] });
      left -= leaves;
    }
    this.#size = size;
  }

  /** How many leaves it has. */
  get size(): number {
    return this.#size;
  }

  /** Hex, from the left. */
  get peaks(): string[] {
    return this.#peaks.map(({ hash }) => hash.toString("hex"));
  }

  /** The root over all leaves so far (hex). */
  get root(): string {
    const last = this.#peaks.at(-1);
    if (last === undefined) return createHash("sha256").digest("hex");
    return this.#peaks
      .reduceRight((right, left) => (left === last ? right : nodeHash(left.hash, right)), last.hash)
      .toString("hex");
  }

  /** Adds the hash of a leaf. `path` is filled with what lies beside its way, up to its peak; `endPaths` adds the rest. */
  add(leaf: Buffer, path?: AuditPath): void {
    let tree: Subtree = { hash: leaf, leaves: 1, paths: path === undefined ? [] : [path] };
    for (let left = this.#peaks.at(-1); left?.leaves === tree.leaves; left = this.#peaks.at(-1)) {
      this.#peaks.pop();
      tree = { leaves: tree.leaves * 2, ...joined(left, tree) };
    }
    this.#peaks.push(tree);
    this.#size += 1;
  }

  /** Completes all paths: they lead to the root as it is now. Nothing may be added afterwards. */
  endPaths(): void {
    this.#peaks.reduceRight<Pick<Subtree, "hash" | "paths"> | undefined>(
      (right, left) => (right === undefined ? left : joined(left, right)),
      undefined,
    );
  }
}

/** Two trees beside each other as one; what leads through one of them passes by the other. */
function joined(left: Pick<Subtree, "hash" | "paths">, right: Pick<Subtree, "hash" | "paths">) {
  for (const path of left.paths) path.push(right.hash.toString("hex"));
  for (const path of right.paths) path.push(left.hash.toString("hex"));
  const paths = left.paths.length === 0 ? right.paths : [...left.paths, ...right.paths];
  return { hash: nodeHash(left.hash, right.hash), paths };
}
