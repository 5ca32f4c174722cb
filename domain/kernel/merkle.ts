import { createHash, hash } from "node:crypto";

/**
 * Merkle trees as in RFC 6962: a leaf is SHA-256(0x00 ‖ bytes), a node SHA-256(0x01 ‖ left ‖ right), the left side the
 * largest power of two below the number of leaves. The root of nothing is SHA-256 of nothing.
 */

/** The hash of a leaf. */
export function leafHash(text: string): Buffer {
  // The tag is one byte in UTF-8 too, and a hash in one call costs half as much.
  return hash("sha256", `\u0000${text}`, "buffer");
}

/** The root over leaf hashes, in order. */
export function merkleRoot(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (only === undefined) return createHash("sha256").digest();
  if (leaves.length === 1) return only;
  const split = largestPowerOfTwoBelow(leaves.length);
  return nodeHash(merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split)));
}

/** The hash of the node above two others. */
export function nodeHash(left: Buffer, right: Buffer): Buffer {
  return createHash("sha256").update(nodeTag).update(left).update(right).digest();
}

function largestPowerOfTwoBelow(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

const nodeTag = Buffer.of(1);
