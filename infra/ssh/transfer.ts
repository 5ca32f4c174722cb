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
  const flight = inFlight(session, window);
  const pieces = piecesOf(source, size);
  let offset = 0;
  try {
    for (;;) {
      const { done, value: piece } = await flight.or(pieces.next());
      if (done === true) break;
      if (offset + piece.length > size) throw new RangeError(`The source gave more than ${size} bytes.`);
      flight.add(write(session, handle, offset, piece));
      offset += piece.length;
      await flight.room();
    }
    if (offset !== size) throw new RangeError(`The source gave ${offset} of ${size} bytes.`);
  } catch (error) {
    // Not waited for: a source that hangs would hang this too.
    pieces.return().catch(() => undefined);
    throw error;
  } finally {
    await flight.landed();
  }
  await flight.or(Promise.resolve());
}

/**
 * When the window is full, it is filled again only once a quarter of it is free: requests that are sent together share the packets
 * of ssh below.
 */
function refillAt(window: number): number {
  return Math.floor((window * 3) / 4);
}

/** The requests of one transfer that are under way. The first that fails, or the end of the session, cuts short all waits but the last. */
function inFlight(session: SftpSession, window: number) {
  let count = 0;
  let failed: { readonly error: unknown } | undefined;
  let onFailure: (error: unknown) => void = () => undefined;
  let onFewer: () => void = () => undefined;
  const fail = (error: unknown): void => {
    failed ??= { error };
    onFailure(error);
  };
  const forget = session.onEnd(fail);
  const land = () => {
    count--;
    onFewer();
  };
  const or = <T>(wait: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      onFailure = reject;
      wait.then(resolve, reject);
      if (failed !== undefined) reject(failed.error);
    });
  const downTo = (most: number) =>
    new Promise<void>((resolve) => {
      onFewer = () => count <= most && resolve();
      onFewer();
    });
  return {
    add(request: Promise<void>): void {
      count++;
      request.catch(fail).then(land);
    },
    /** Gives what `wait` gives. */
    or,
    /** Waits until there is room for more. */
    room: async () => (count < window ? undefined : or(downTo(refillAt(window)))),
    /** Waits until none is left. */
    async landed(): Promise<void> {
      forget();
      await downTo(0);
    },
  };
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
    if (ahead.length <= refillAt(window)) ask();
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
