import { randomBytes } from "node:crypto";
import { accessSync, chmodSync, constants, linkSync } from "node:fs";
import { join, resolve } from "node:path";
import { readTextIfThere, remove, syncFolder, writeFileAtomic } from "./files.ts";
import { makeFolder } from "./makeFolder.ts";
import { isErrno } from "./ports.ts";

/** The one folder in which a box keeps everything. */
export interface DataFolder {
  /** Absolute. */
  readonly path: string;
  /** Process ids, locks, the state file. */
  readonly run: string;
  readonly logs: string;
  readonly secrets: string;
}

/** Opens a data folder, making what is missing; only its owner may read it. */
export function openDataFolder(path: string): DataFolder {
  const root = resolve(path);
  makeFolder(root);
  // As root, PostgreSQL's account must pass through to its own folder; all others inside are closed to it.
  chmodSync(root, isRoot() ? 0o711 : 0o700);
  const folders = { path: root, run: join(root, "run"), logs: join(root, "logs"), secrets: join(root, "secrets") };
  for (const folder of [folders.run, folders.logs, folders.secrets]) makeFolder(folder, 0o700);
  return folders;
}

/** The folder that keeps fetched servers: the user's cache, or, where that can't be made, one in the data folder. */
export function usableCacheFolder(folder: DataFolder, preferred: string): string {
  try {
    makeFolder(preferred);
    accessSync(preferred, constants.W_OK);
    return preferred;
  } catch {
    return join(folder.path, "servers");
  }
}

/** Whether this process may do everything, so that some servers refuse to run as its user. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The password (64 hex digits) of that name: made at the first call, the same ever after; its file is 0600. */
export function readOrMakeSecret(folder: DataFolder, name: string): string {
  const path = join(folder.secrets, name);
  const there = readTextIfThere(path)?.trim();
  if (there !== undefined) return there;
  // Durable before anything is locked with it, and never replaced: of two that are made at once one counts.
  const draft = `${path}.${randomBytes(6).toString("hex")}.new`;
  writeFileAtomic(draft, `${randomBytes(32).toString("hex")}\n`);
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  } finally {
    remove(draft);
  }
  syncFolder(folder.secrets);
  return readOrMakeSecret(folder, name);
}
