import { createHash } from "node:crypto";

/** A node as a place for more bytes. */
export interface Candidate {
  readonly id: string;
  /** Bytes that its disk has free, as last seen. */
  readonly freeBytes: number;
}

/**
 * The best `count` nodes for the bytes of this hash: a rendezvous hash weighted by free space, so that each node gets its share and a blob
 * goes to the same nodes whoever asks.
 */
export function chooseNodes<C extends Candidate>(hash: string, candidates: readonly C[], count: number): readonly C[] {
  return candidates
    .map((candidate) => ({ candidate, score: scoreOf(hash, candidate) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

// Highest of -weight / ln(h) with h uniform in (0, 1): each node is first with a probability in proportion to its weight.
function scoreOf(hash: string, { id, freeBytes }: Candidate): number {
  const digest = createHash("sha256").update(`${id}|${hash}`).digest();
  const uniform = (digest.readUIntBE(0, 6) + 1) / (2 ** 48 + 2);
  return -freeBytes / Math.log(uniform);
}
