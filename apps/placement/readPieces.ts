import { webcrypto } from "node:crypto";
import type { BlobPlaces } from "@connect-hub/projections";
import { NodeError } from "@connect-hub/ssh";
import type { NodeClient } from "./nodeClient.ts";

/** Bytes are verified in pieces of this size; `blobs.chunks` has a SHA-256 for each. */
const pieceBytes = 1024 * 1024;
const hashBytes = 32;
/** Pieces that are on their way while one is given on. */
const ahead = 3;

/** No node gives these bytes at present. */
export class BlobUnavailable extends Error {
  readonly code = "FileUnavailable";
}

export interface ReadPiecesOptions {
  /** By its id. */
  node(id: string): NodeClient | undefined;
  /** From … to, exclusive; within the blob. */
  readonly from: number;
  readonly to: number;
}

/**
 * Bytes `from` to `to` of a blob, from whichever nodes give the right ones; nothing is given on that was not verified. Throws
 * `BlobUnavailable`.
 */
export async function* readPieces(blob: BlobPlaces, options: ReadPiecesOptions): AsyncGenerator<Uint8Array, void> {
  const { from, to } = options;
  const last = Math.ceil(to / pieceBytes);
  const coming: Promise<Uint8Array>[] = [];
  for (let index = Math.floor(from / pieceBytes), next = index; index < last; index++) {
    for (; next < last && next <= index + ahead; next++) {
      const piece = readPiece(blob, next, options);
      // It is awaited in its turn, or not at all when whoever reads stops before.
      piece.catch(() => undefined);
      coming.push(piece);
    }
    const piece = await coming.shift();
    const start = index * pieceBytes;
    yield piece?.subarray(Math.max(0, from - start), Math.min(pieceBytes, to - start)) ?? new Uint8Array();
  }
}

async function readPiece(blob: BlobPlaces, index: number, options: ReadPiecesOptions): Promise<Uint8Array> {
  const from = index * pieceBytes;
  const to = Math.min(blob.size, from + pieceBytes);
  const expected = Buffer.from(blob.chunks, "base64url").subarray(index * hashBytes, (index + 1) * hashBytes);
  const holders = blob.replicas
    .flatMap(({ node: id, name }) => {
      const node = options.node(id);
      return node === undefined ? [] : [{ node, name }];
    })
    .sort((a, b) => b.node.readRank - a.node.readRank);
  let cause: unknown;
  for (const { node, name } of holders) {
    try {
      const startedAt = performance.now();
      const piece = await node.use("reads", async (link) => {
        const read = await collect(link.read(`blobs/${name}`, from, to), to - from);
        if (expected.equals(Buffer.from(await webcrypto.subtle.digest("SHA-256", read)))) return read;
        throw new NodeError("WrongBytes", `The node gave wrong bytes of ${name}.`);
      });
      node.wasRead(to - from, performance.now() - startedAt);
      return piece;
    } catch (error) {
      cause = error;
    }
  }
  throw new BlobUnavailable(`no node gives piece ${index} of ${blob.hash}`, { cause });
}

async function collect(source: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const piece = new Uint8Array(length);
  let filled = 0;
  for await (const part of source) {
    // More than was asked for is wrong, and so is less: the rest stays zero, which the hash shows.
    piece.set(part.subarray(0, length - filled), filled);
    filled += part.byteLength;
  }
  return piece;
}
