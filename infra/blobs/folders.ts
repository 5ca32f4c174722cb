import { mkdir, open, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isErrno } from "./errors.ts";

/**
 * Where a store keeps what: `blobs/<first two digits>/<hash>`, `uploads/` for what may be gone on with, and `tmp/` for all else that is
 * not whole yet.
 */
export interface Folders {
  readonly blobs: string;
  readonly tmp: string;
  readonly uploads: string;
  /** Holds how many bytes an upload lacked room for; its time says when. */
  readonly wanted: string;
  blob(hash: string): string;
  /** Makes the folder of a blob, durably. */
  madeFor(path: string): Promise<void>;
}

export async function openFolders(folder: string): Promise<Folders> {
  const blobs = join(folder, "blobs");
  const tmp = join(folder, "tmp");
  const uploads = join(folder, "uploads");
  for (const path of [blobs, tmp, uploads]) await mkdir(path, { recursive: true, mode: 0o700 });
  await syncFolder(folder);
  const durable = new Set<string>();
  return {
    blobs,
    tmp,
    uploads,
    wanted: join(folder, "wanted"),
    blob: (hash) => join(blobs, hash.slice(0, 2), hash),
    async madeFor(path) {
      const prefix = dirname(path);
      await mkdir(prefix, { recursive: true, mode: 0o700 });
      // Also one that is there: whoever made it may not have come to this.
      if (!durable.has(prefix)) await syncFolder(blobs);
      durable.add(prefix);
    },
  };
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * What the bytes of an upload are called in its folder; behind a dot, whose process has them. A new name is how they are taken: of two who
 * try, one gets it.
 */
export const partFile = "part";

/** The name of the bytes of an upload at present. */
export async function partIn(folder: string): Promise<string | undefined> {
  try {
    return (await readdir(folder)).find((name) => name === partFile || name.startsWith(`${partFile}.`));
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
