import fc from "fast-check";
import { expect, test } from "vitest";
import { leafHash, merkleRoot, nodeHash } from "./merkle.ts";
import { type AuditPath, MerkleTree } from "./merkleTree.ts";

const leavesOf = (count: number) => Array.from({ length: count }, (_, index) => leafHash(`leaf ${index}`));

/** The root that a leaf and its path come to, as RFC 9162 (2.1.3.2) says. */
function rootBy(leaf: string, index: number, size: number, path: AuditPath): string | undefined {
  let [at, last, hash] = [index, size - 1, leaf];
  for (const side of path) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(side, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      hash = nodeHash(hash, side);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 ? hash : undefined;
}

test("a tree that grows has the root of RFC 6962 at each size, and goes on from its peaks", () => {
  const leaves = leavesOf(70);
  let tree = new MerkleTree();
  expect(tree.root).toBe(merkleRoot([]));
  for (const [index, leaf] of leaves.entries()) {
    tree.add(leaf);
    expect(tree.root).toBe(merkleRoot(leaves.slice(0, index + 1)));
    if (index % 3 === 0) tree = new MerkleTree(tree.size, tree.peaks);
  }
  expect(tree.size).toBe(70);
  expect(() => new MerkleTree(70, tree.peaks.slice(1))).toThrow(RangeError);
  expect(() => new MerkleTree(64, tree.peaks)).toThrow(RangeError);
});

test("the path of any leaf leads to the root, also in a tree that began with peaks, and from nowhere else", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(), fc.nat(), (size, from, wanted) => {
      const leaves = leavesOf(size);
      const before = new MerkleTree();
      for (const leaf of leaves.slice(0, from % size)) before.add(leaf);
      const tree = new MerkleTree(before.size, before.peaks);
      const index = before.size + (wanted % (size - before.size));
      const path: AuditPath = [];
      for (const [at, leaf] of leaves.entries()) if (at >= before.size) tree.add(leaf, at === index ? path : undefined);
      tree.endPaths();
      const root = merkleRoot(leaves);
      const leaf = leaves[index] ?? "";
      expect(rootBy(leaf, index, size, path)).toBe(root);
      if (size > 1) expect(rootBy(leaf, (index + 1) % size, size, path)).not.toBe(root);
    }),
    { numRuns: 60 },
  );
});
