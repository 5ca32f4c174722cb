import { linkSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { type DataFolder, openDataFolder } from "./dataFolder.ts";
import { RuntimeError } from "./errors.ts";
import { readTextIfThere, remove } from "./files.ts";
import { endLeftover, readIdentity, writeIdentity } from "./pidFile.ts";
import { isErrno } from "./ports.ts";
import { identifyProcess, isRunning, type ProcessIdentity } from "./processIdentity.ts";

/**
 * Makes this process the only one that starts servers in a data folder, until `release` or its end.
 * @throws RuntimeError `AlreadyRunning` when another process has it
 */
export function claimDataFolder(folder: DataFolder): { release(): void } {
  const own = identifyProcess(process.pid);
  if (own === undefined)
    throw new RuntimeError("ServerFailed", "The operating system doesn't tell about this process.");
  const lock = lockOf(folder);
  const mine = `${lock}.${process.pid}`;
  writeIdentity(mine, own);
  try {
    for (;;) {
      try {
        linkSync(mine, lock);
        return { release: () => remove(lock) };
      } catch (error) {
        if (!isErrno(error, "EEXIST")) throw error;
      }
      const owner = ownerOf(folder);
      if (owner !== undefined) {
        throw new RuntimeError("AlreadyRunning", `Process ${owner.pid} already serves ${folder.path}.`);
      }
      removeStale(lock);
    }
  } finally {
    remove(mine);
  }
}

/** The running process that has claimed a data folder. */
export function ownerOf(folder: DataFolder): ProcessIdentity | undefined {
  const identity = readIdentity(lockOf(folder));
  return identity !== undefined && isRunning(identity) ? identity : undefined;
}

/**
 * Ends what dead owners left running in the folders of `parent` that begin with `prefix`, and removes those folders.
 * Passes over folders of other users: they are not ours to read, and what they say of processes is not to be believed.
 */
export async function sweepAbandoned(parent: string, prefix: string): Promise<void> {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(parent, name);
    if (statSync(path, { throwIfNoEntry: false })?.uid !== process.getuid?.()) continue;
    // A folder without a lock is one that its maker has yet to claim.
    if (readTextIfThere(join(path, "run/owner.pid")) === undefined) continue;
    const folder = openDataFolder(path);
    if (ownerOf(folder) !== undefined) continue;
    for (const file of readdirSync(folder.run)) {
      if (file.endsWith(".pid") && file !== "owner.pid") await endLeftover(join(folder.run, file), "SIGTERM", 1_000);
    }
    remove(path);
  }
}

function lockOf(folder: DataFolder): string {
  return join(folder.run, "owner.pid");
}

// Moved aside first: what was moved may be the fresh lock of another claimant, which then goes back.
function removeStale(lock: string): void {
  const aside = `${lock}.stale-${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  const moved = readIdentity(aside);
  if (moved !== undefined && isRunning(moved)) linkSync(aside, lock);
  remove(aside);
}
