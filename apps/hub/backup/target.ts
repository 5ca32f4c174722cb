import { readdir, rename, rm, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { makeFolder } from "@connect-hub/runtime";
import { inBytes } from "../inBytes.ts";
import { isThere, syncFolder } from "./backupFiles.ts";
import { BackupFailed } from "./errors.ts";

/** Where a backup is written before it is whole. */
export interface BackupTarget {
  /** The folder to write into. */
  readonly partial: string;
  /** Gives it its name: from then on there is a backup. */
  finish(): Promise<void>;
  /** Removes what was written. */
  abandon(): Promise<void>;
}

/** What lies at the top of a backup. */
const ownNames = ["blobs", "lanes", "manifest.json", "manifest.sha256", "secrets", "vault"];
/** Room for what is not counted: the manifest, the file system's own. */
const spareBytes = 16 * 1024 * 1024;

/** Opens `<dir>.partial`, empty. Throws `BackupFailed` when there is something at `dir`, or not enough room on that disk. */
export async function openTarget(dir: string, neededBytes: number): Promise<BackupTarget> {
  const final = resolve(dir);
  const partial = `${final}.partial`;
  if (await isThere(final))
    throw new BackupFailed(`There is something at ${final} already; name a folder that is not there.`);
  await removeFormer(partial);
  makeFolder(partial, 0o700);
  const { bavail, bsize } = await statfs(partial);
  const freeBytes = bavail * bsize;
  if (freeBytes < neededBytes + spareBytes) {
    await rm(partial, { recursive: true });
    throw new BackupFailed(
      `The backup takes about ${inBytes(neededBytes + spareBytes)}, but ${dirname(final)} has ${inBytes(freeBytes)} free.`,
    );
  }
  return {
    partial,
    async finish() {
      for (const folder of await foldersIn(partial)) await syncFolder(folder);
      if (await isThere(final))
        throw new BackupFailed(`Something came to ${final} meanwhile; the backup is in ${partial}.`);
      await rename(partial, final);
      await syncFolder(dirname(final));
    },
    abandon: () => rm(partial, { recursive: true, force: true }),
  };
}

/** What an attempt that was killed left. */
async function removeFormer(partial: string): Promise<void> {
  if (!(await isThere(partial))) return;
  const strange = (await readdir(partial)).find((name) => !ownNames.includes(name));
  if (strange !== undefined)
    throw new BackupFailed(`${partial} holds ${strange}, which is of no backup; move it away.`);
  await rm(partial, { recursive: true });
}

async function foldersIn(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  return [
    ...entries.filter((entry) => entry.isDirectory()).map(({ parentPath, name }) => `${parentPath}/${name}`),
    root,
  ];
}
