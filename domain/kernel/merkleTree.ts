import { merkleRoot, nodeHash } from "./merkle.ts";

/** The hashes beside the way from a leaf to the root, from below (hex): the audit path of RFC 6962 (2.1.1). */
export type AuditPath = string[];

interface Subtree {
  readonly hash: string;
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
      this.#peaks.push({ hash: peak, leaves, paths: [] });
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
    return this.#peaks.map(({ hash }) => hash);
  }

  /** The root over all leaves so far (hex). */
  get root(): string {
    if (this.#peaks.length === 0) return merkleRoot([]);
    return this.peaks.reduceRight((right, left) => nodeHash(left, right));
  }

  /** Adds a leaf by its hash (hex). `path` is filled with what lies beside its way, up to its peak; `endPaths` adds the rest. */
  add(leaf: string, path?: AuditPath): void {
    let hash = leaf;
    let leaves = 1;
    let paths: readonly AuditPath[] = path === undefined ? none : [path];
    for (let left = this.#peaks.at(-1); left?.leaves === leaves; left = this.#peaks.at(-1)) {
      this.#peaks.pop();
      if (left.paths.length > 0 || paths.length > 0) paths = ways(left, { hash, paths });
      hash = nodeHash(left.hash, hash);
      leaves *= 2;
    }
    this.#peaks.push({ hash, leaves, paths });
    this.#size += 1;
  }

  /** Completes all paths: they lead to the root as it is now. Nothing may be added afterwards. */
  endPaths(): void {
    const [last, ...others] = this.#peaks.toReversed();
    if (last === undefined) return;
    others.reduce<Side>((right, left) => {
      return { paths: ways(left, right), hash: nodeHash(left.hash, right.hash) };
    }, last);
  }
}

type Side = Pick<Subtree, "hash" | "paths">;

/** The paths through two trees beside each other: what leads through one of them passes by the other. */
function ways(left: Side, right: Side): readonly AuditPath[] {
  for (const path of left.paths) path.push(right.hash);
  for (const path of right.paths) path.push(left.hash);
  return left.paths.length === 0 ? right.paths : [...left.paths, ...right.paths];
}

const none: readonly AuditPath[] = [];
