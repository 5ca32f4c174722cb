import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isThere } from "./backupFiles.ts";
import { blobFile } from "./manifest.ts";

// Bytes lie under their hash, in the store of a box as in a backup: `blobs/<first two digits>/<hash>`.

/** Bytes under their hash. */
export interface BlobFile {
  readonly hash: string;
  readonly size: number;
}

/** What lies in the store in `folder`, or in a backup; in no order. */
export async function blobsIn(folder: string): Promise<readonly BlobFile[]> {
  const found: BlobFile[] = [];
  for (const part of await names(join(folder, "blobs"))) {
    for (const hash of await names(join(folder, "blobs", part))) {
      const info = await stat(join(folder, "blobs", part, hash)).catch(() => undefined);
      if (info?.isFile() && /^[0-9a-f]{64}$/.test(hash)) found.push({ hash, size: info.size });
    }
  }
  return found;
}

/**
 * Copies bytes from one folder to another, with the instant of their last access; whether they were there. Looking at them as a
 * reader would make all of them the last accessed ones. What arrives has the right hash, or this throws.
 */
export async function copyBlob(hash: string, from: string, to: string): Promise<boolean> {
  const [source, target] = [join(from, blobFile(hash)), join(to, blobFile(hash))];
  const draft = `${target}.new`;
  const info = await stat(source).catch(() => undefined);
  if (info === undefined) return false;
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await rm(draft, { force: true });
  try {
    await copyFile(source, draft, constants.COPYFILE_FICLONE);
  } catch (error) {
    if (await isThere(source)) throw error;
    return false;
  }
  try {
    const found = await hashOf(draft);
    if (found !== hash) throw new Error(`${source} does not hold the bytes of its name: their SHA-256 is ${found}`);
    await utimes(draft, info.atime, info.mtime);
    await syncFile(draft);
    await rename(draft, target);
  } finally {
    await rm(draft, { force: true });
  }
  return true;
}

/** SHA-256 of a file, in hex. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(bytes);
  return hash.digest("hex");
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  await file.sync().finally(() => file.close());
}

async function names(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return [];
    throw error;
  }
}
