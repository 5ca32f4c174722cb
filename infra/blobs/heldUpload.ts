import { type FileHandle, open, rename } from "node:fs/promises";
import { join } from "node:path";
import type { UploadStep } from "@connect-hub/domain/content";
import type { JsonObject } from "@connect-hub/domain/values";
import { isErrno, StoreFull, UploadGone } from "./errors.ts";
import { partFile } from "./folders.ts";
import { inPieces } from "./pieces.ts";
import { readRange } from "./read.ts";
import { flushBytes, limited, placeable, type Received, type StoreParts, writeAll } from "./receive.ts";

/** An upload that nobody else writes to until it is released. Whatever it does throws `UploadGone` once it was dropped. */
export interface HeldUpload {
  readonly size: number;
  /** So many bytes are here; after `append` those are here for good. */
  readonly offset: number;
  /**
   * Writes behind what is here. What came before the source threw stays. Throws what the source throws, `WrongBytes` for more than
   * there may be, and `StoreFull`.
   */
  append(source: AsyncIterable<Uint8Array>): Promise<void>;
  /** Reads all of it again, for its hashes; it may then be given its name. */
  received(): Promise<Omit<Received, "discard">>;
  /** Keeps the answer for whoever asks again, and lets go of the bytes. */
  done(answer: JsonObject): Promise<void>;
  release(): Promise<void>;
}

/** What was taken. */
export interface Taken extends StoreParts {
  /** The folder of the upload, and where its bytes are while it is held. */
  readonly folder: string;
  readonly path: string;
  readonly size: number;
  readonly step?: ((name: UploadStep) => void | Promise<void>) | undefined;
  done(answer: JsonObject): Promise<void>;
}

/** Holds what was taken. */
export async function holdUpload(taken: Taken): Promise<HeldUpload> {
  const { folder, path, size, step } = taken;
  let offset = await unlessDropped(() => opened(path, async (file) => (await file.stat()).size));

  return {
    size,
    get offset() {
      return offset;
    },
    append: (source) =>
      unlessDropped(() =>
        opened(path, async (file) => {
          try {
            await appendTo(file, limited(source, size - offset), { at: offset, step });
          } finally {
            await file.datasync();
            offset = (await file.stat()).size;
          }
          await step?.("resume.synced");
        }),
      ),
    async received() {
      const bytes = readRange(path, 0, size, { isAccess: false });
      const placing = placeable(path, await unlessDropped(() => inPieces(bytes, async () => undefined)), taken);
      return { ...placing, commit: () => unlessDropped(placing.commit) };
    },
    done: taken.done,
    async release() {
      try {
        await rename(path, join(folder, partFile));
      } catch (error) {
        // Dropped, or done.
        if (!isErrno(error, "ENOENT")) throw error;
      }
    },
  };
}

/** One after another: whatever happens, what is in the file is the beginning of what was sent. */
async function appendTo(
  file: FileHandle,
  source: AsyncIterable<Uint8Array>,
  { at, step }: { readonly at: number } & Pick<Taken, "step">,
): Promise<void> {
  let end = at;
  let unflushed = 0;
  for await (const chunk of source) {
    await writeAll(file, chunk, end);
    end += chunk.byteLength;
    unflushed += chunk.byteLength;
    if (unflushed >= flushBytes) {
      unflushed = 0;
      await file.datasync();
    }
    await step?.("resume.appended");
  }
}

async function opened<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, "r+");
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function unlessDropped<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isErrno(error, "ENOENT")) throw new UploadGone();
    throw isErrno(error, "ENOSPC", "EDQUOT") ? new StoreFull(error) : error;
  }
}
