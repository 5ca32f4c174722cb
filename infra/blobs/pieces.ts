import { createHash, webcrypto } from "node:crypto";

/** Bytes of one piece: what is hashed by itself, so that a range can be verified before it is passed on. */
const pieceBytes = 1024 * 1024;
/** Pieces that are being written while the next one is filled. */
const maxUnderWay = 2;

/** What bytes are known by. */
export interface Hashes {
  /** SHA-256, hex. */
  readonly hash: string;
  readonly size: number;
  /** The SHA-256 of each piece of 1 MiB, one after another, as base64url. */
  readonly chunks: string;
}

/**
 * Cuts bytes into pieces, hashes the whole and each piece, and gives each piece to `write` with its place, which must not keep it.
 * Holds at most three pieces, however fast they come. Throws what the source and `write` throw, when no write is under way.
 */
export async function inPieces(
  source: AsyncIterable<Uint8Array>,
  write: (piece: Uint8Array, at: number) => Promise<void>,
): Promise<Hashes> {
  const whole = createHash("sha256");
  const digests: Buffer[] = [];
  const free: Buffer[] = [];
  const underWay: Promise<void>[] = [];
  let piece: Buffer | undefined;
  let filled = 0;
  let size = 0;

  async function finish(buffer: Buffer, length: number, index: number): Promise<void> {
    const bytes = buffer.subarray(0, length);
    // The digest is taken in the thread pool, beside the write.
    const digesting = webcrypto.subtle.digest("SHA-256", bytes);
    await write(bytes, index * pieceBytes);
    digests[index] = Buffer.from(await digesting);
    free.push(buffer);
  }

  async function pass(): Promise<void> {
    if (piece === undefined || filled === 0) return;
    const finishing = finish(piece, filled, Math.floor((size - 1) / pieceBytes));
    // It is waited for below; until then its failure has nobody else.
    finishing.catch(() => undefined);
    underWay.push(finishing);
    piece = undefined;
    filled = 0;
    if (underWay.length > maxUnderWay) await underWay.shift();
  }

  try {
    for await (const chunk of source) {
      whole.update(chunk);
      for (let taken = 0; taken < chunk.byteLength; ) {
        piece ??= free.pop() ?? Buffer.allocUnsafeSlow(pieceBytes);
        const part = chunk.subarray(taken, taken + pieceBytes - filled);
        piece.set(part, filled);
        taken += part.byteLength;
        filled += part.byteLength;
        size += part.byteLength;
        if (filled === pieceBytes) await pass();
      }
    }
    await pass();
    await Promise.all(underWay);
  } finally {
    await Promise.allSettled(underWay);
  }
  return { hash: whole.digest("hex"), size, chunks: Buffer.concat(digests).toString("base64url") };
}
