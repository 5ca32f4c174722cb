import { randomBytes } from "node:crypto";
import { type FileHandle, link, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { UploadStep } from "@connect-hub/domain/content";
import { isErrno, StoreFull, WrongBytes } from "./errors.ts";
import { type Folders, syncFolder } from "./folders.ts";
import { type Hashes, inPieces } from "./pieces.ts";

/** Bytes that are on the disk for good, under a temporary name. One of `commit` and `discard` is called at the end. */
export interface Received extends Hashes {
  /**
   * Gives them their name, durably; nothing to do when bytes of that hash are there. May be called again while they are not
   * discarded: it mends what was removed in between.
   */
  commit(): Promise<void>;
  /** Lets go of the temporary name. What was committed stays. */
  discard(): Promise<void>;
}

export interface ReceiveOptions {
  /** How many bytes will come. */
  readonly declaredBytes: number;
  /** Told of each step that left something behind. */
  readonly step?: ((name: UploadStep) => void | Promise<void>) | undefined;
}

/** What of a store it takes to bring bytes in. */
export interface StoreParts {
  readonly folders: Folders;
  readonly owner: string;
  onStored(bytes: number): void;
}

/** A path that nobody else has, and that is swept when this process dies. */
export function temporaryName({ folders, owner }: Pick<StoreParts, "folders" | "owner">): string {
  return join(folders.tmp, `${owner}.${randomBytes(8).toString("hex")}`);
}

/** The bytes of a file that is on the disk, to be given their name. */
export function placeable(
  path: string,
  hashes: Hashes,
  { step, ...store }: StoreParts & Pick<ReceiveOptions, "step">,
): Omit<Received, "discard"> {
  return {
    ...hashes,
    async commit() {
      if (await place(path, hashes, store)) store.onStored(hashes.size);
      await step?.("upload.placed");
    },
  };
}

/** After so many bytes the disk is asked to begin with its work, so that the sync at the end finds little left to do. */
export const flushBytes = 32 * 1024 * 1024;

/**
 * Writes what comes to a temporary file of `owner`. Memory is bounded by three pieces of 1 MiB. Whatever it throws, nothing is left:
 * `WrongBytes` for another length than declared, `StoreFull`, or what the source throws.
 */
export async function receive(
  source: AsyncIterable<Uint8Array>,
  { declaredBytes, step }: ReceiveOptions,
  store: StoreParts,
): Promise<Received> {
  const path = temporaryName(store);
  try {
    const hashes = await writeTo(path, limited(source, declaredBytes), step);
    if (hashes.size !== declaredBytes) throw wrongLength(declaredBytes);
    return { ...placeable(path, hashes, { ...store, step }), discard: () => rm(path, { force: true }) };
  } catch (error) {
    await rm(path, { force: true });
    throw isErrno(error, "ENOSPC", "EDQUOT") ? new StoreFull(error) : error;
  }
}

async function writeTo(path: string, source: AsyncIterable<Uint8Array>, step: ReceiveOptions["step"]): Promise<Hashes> {
  const file = await open(path, "wx", 0o600);
  try {
    await step?.("upload.opened");
    let unflushed = 0;
    let flushing: Promise<void> = Promise.resolve();
    const hashes = await inPieces(source, async (piece, at) => {
      await writeAll(file, piece, at);
      unflushed += piece.byteLength;
      if (unflushed >= flushBytes) {
        unflushed = 0;
        await flushing;
        flushing = file.datasync();
        // What went wrong is thrown by the sync at the end, or by the next wait.
        flushing.catch(() => undefined);
      }
      await step?.("upload.piece");
    });
    await step?.("upload.received");
    await flushing;
    await file.sync();
    await step?.("upload.synced");
    return hashes;
  } finally {
    await file.close();
  }
}

/** Writes all of them from `at` on; where the file is open to append to, at its end. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.byteLength - written, at + written);
    written += bytesWritten;
  }
}

/** Whether the name is new. */
async function place(path: string, { hash, size }: Hashes, store: StoreParts): Promise<boolean> {
  const { folders } = store;
  const final = folders.blob(hash);
  await folders.madeFor(final);
  const there = await sizeOf(final);
  if (there === size) {
    // Whoever placed it may not have come to this, and the caller counts on it.
    await syncFolder(dirname(final));
    return false;
  }
  // By way of a second name, so that a file of a wrong size is replaced as a whole.
  const draft = temporaryName(store);
  await link(path, draft);
  await rename(draft, final);
  await syncFolder(dirname(final));
  return there === undefined;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** The bytes, as long as there are no more than so many. Throws `WrongBytes`. */
export async function* limited(source: AsyncIterable<Uint8Array>, bytes: number): AsyncIterable<Uint8Array> {
  let came = 0;
  for await (const chunk of source) {
    came += chunk.byteLength;
    if (came > bytes) throw wrongLength(bytes);
    yield chunk;
  }
}

function wrongLength(declared: number): WrongBytes {
  return new WrongBytes(`${declared} bytes were announced, and others came`);
}
