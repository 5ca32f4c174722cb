import type { FileHandle } from "node:fs/promises";
import { NodeError } from "./errors.ts";
import { type Handle, read, write } from "./sftpRequests.ts";
import type { SftpSession } from "./sftpSession.ts";

/** What every server takes and gives in one request (draft, section 3). */
const pieceBytes = 32 * 1024;
/** Read from a local file at once. */
const blockBytes = 1024 * 1024;

/** Where the bytes of an upload come from. */
export type Source = AsyncIterable<Uint8Array> | FileHandle;

/**
 * Writes all of `source` to an open file, with up to `window` requests of 32 KiB on the way. When one fails, no more are
 * sent, and it rejects once those under way are answered.
 * @throws RangeError when the source doesn't give `size` bytes
 */
export async function writeAll(
  session: SftpSession,
  handle: Handle,
  { source, size, window }: { readonly source: Source; readonly size: number; readonly window: number },
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const failure = firstFailure(session);
  const pieces = piecesOf(source, size);
  let offset = 0;
  try {
    for (;;) {
      const { done, value: piece } = await failure.or(pieces.next());
      if (done === true) break;
      if (offset + piece.length > size) throw new RangeError(`The source gave more than ${size} bytes.`);
      const one = write(session, handle, offset, piece)
        .catch(failure.tell)
        .then(() => void underWay.delete(one));
      underWay.add(one);
      offset += piece.length;
      if (underWay.size >= window) await failure.or(Promise.race(underWay));
    }
    if (offset !== size) throw new RangeError(`The source gave ${offset} of ${size} bytes.`);
  } catch (error) {
    // Not waited for: a source that hangs would hang this too.
    pieces.return().catch(() => undefined);
    throw error;
  } finally {
    failure.forget();
    await Promise.all(underWay);
  }
  await failure.or(Promise.resolve());
}

/** The first failure of several requests, or the end of the session, and a wait that it cuts short. */
function firstFailure(session: SftpSession) {
  let failed: { readonly error: unknown } | undefined;
  let reject: (error: unknown) => void = () => undefined;
  const tell = (error: unknown): void => {
    failed ??= { error };
    reject(error);
  };
  const forget = session.onEnd(tell);
  const or = <T>(wait: Promise<T>): Promise<T> =>
    new Promise((resolve, rejectThis) => {
      reject = rejectThis;
      wait.then(resolve, rejectThis);
      if (failed !== undefined) rejectThis(failed.error);
    });
  return { tell, or, forget };
}

/**
 * The bytes of an open file from `from` up to, not including, `to`, in order, with up to `window` requests of 32 KiB ahead of the
 * reader. Throws `NodeError` `WrongBytes` when the file ends before `to`.
 */
export async function* readRange(
  session: SftpSession,
  handle: Handle,
  { from, to, window }: { readonly from: number; readonly to: number; readonly window: number },
): AsyncGenerator<Uint8Array, void> {
  const ahead: Promise<Uint8Array>[] = [];
  let next = from;
  const ask = () => {
    for (; ahead.length < window && next < to; next += pieceBytes) {
      const piece = readWhole(session, handle, next, Math.min(pieceBytes, to - next));
      // Whoever reads on meets it; who doesn't has no use for it.
      piece.catch(() => undefined);
      ahead.push(piece);
    }
  };
  for (ask(); ahead.length > 0; ) {
    const piece = await ahead.shift();
    ask();
    if (piece !== undefined) yield piece;
  }
}

// A server may give less than it was asked for.
async function readWhole(session: SftpSession, handle: Handle, offset: number, length: number): Promise<Uint8Array> {
  const first = await read(session, handle, offset, length);
  if (first.length === length) return first;
  const whole = Buffer.alloc(length);
  whole.set(first);
  for (let filled = first.length, got = filled; filled < length; filled += got) {
    if (got === 0) throw new NodeError("WrongBytes", `The node's file ends at ${offset + filled}.`);
    const more = await read(session, handle, offset + filled, length - filled);
    whole.set(more, filled);
    got = more.length;
  }
  return whole;
}

/** Pieces of at most 32 KiB, all but the last of exactly that. Each is good only until the next is asked for. */
async function* piecesOf(source: Source, size: number): AsyncGenerator<Uint8Array, void> {
  const rest = Buffer.alloc(pieceBytes);
  let filled = 0;
  for await (const chunk of Symbol.asyncIterator in source ? source : blocksOf(source, size)) {
    let at = 0;
    while (at < chunk.length) {
      if (filled === 0 && chunk.length - at >= pieceBytes) {
        yield chunk.subarray(at, at + pieceBytes);
        at += pieceBytes;
        continue;
      }
      const taken = Math.min(pieceBytes - filled, chunk.length - at);
      rest.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled < pieceBytes) continue;
      yield rest;
      filled = 0;
    }
  }
  if (filled > 0) yield rest.subarray(0, filled);
}

// From the beginning, whatever the file's own position is; one block at a time, over and over in the same memory.
async function* blocksOf(file: FileHandle, size: number): AsyncGenerator<Uint8Array, void> {
  const block = Buffer.allocUnsafe(Math.min(blockBytes, size));
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(block, 0, Math.min(block.length, size - at), at);
    if (bytesRead === 0) return;
    yield block.subarray(0, bytesRead);
    at += bytesRead;
  }
}
