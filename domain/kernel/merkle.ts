import { hash } from "node:crypto";

/**
 * Merkle trees as in RFC 6962: a leaf is SHA-256(0x00 ‖ bytes), a node SHA-256(0x01 ‖ left ‖ right), the left side the
 * largest power of two below the number of leaves. The root of nothing is SHA-256 of nothing. Hashes are hex: short texts cost
 * a third of what a buffer for each costs.
 */

/** The hash of a leaf (hex). */
export function leafHash(text: string): string {
  // The tag is one byte in UTF-8 too, and a hash in one call costs half as much.
  return hash("sha256", `\u0000${text}`, "hex");
}

/** The hash of a leaf (hex) by its bytes after a byte for the tag, which is written there. */
export function leafHashAfterTag(bytes: Uint8Array): string {
  bytes[0] = 0;
  return hash("sha256", bytes, "hex");
}

/** The root (hex) over leaf hashes, in order. */
export function merkleRoot(leaves: readonly string[]): string {
  const [only] = leaves;
  if (only === undefined) return hash("sha256", "", "hex");
  if (leaves.length === 1) return only;
  const split = largestPowerOfTwoBelow(leaves.length);
  return nodeHash(merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split)));
}

/** The hash (hex) of the node above two others. */
export function nodeHash(left: string, right: string): string {
  node.write(left, 1, "hex");
  node.write(right, 33, "hex");
  return hash("sha256", node, "hex");
}

function largestPowerOfTwoBelow(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

/** The bytes of one node at a time. */
const node = Buffer.alloc(65, 1);
