import { linkSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { type DataFolder, openDataFolder } from "./dataFolder.ts";
import { RuntimeError } from "./errors.ts";
import { readTextIfThere, remove } from "./files.ts";
import { endLeftover, readIdentity, writeIdentity } from "./pidFile.ts";
import { isErrno } from "./ports.ts";
import { identifyProcess, isRunning, type ProcessIdentity } from "./processIdentity.ts";
import { waitFor } from "./waitFor.ts";

/**
 * Makes this process the only one that starts servers in a data folder, until `release` or its end.
 * @throws RuntimeError `AlreadyRunning` when another process has it
 */
export function claimDataFolder(folder: DataFolder): { release(): void } {
  const claimed = claim(lockOf(folder));
  if ("owner" in claimed)
    throw new RuntimeError("AlreadyRunning", `Process ${claimed.owner.pid} already serves ${folder.path}.`);
  return claimed;
}

/**
 * Does `work` while no other process does anything in the same data folder under the same `name`. Throws `RuntimeError` `AlreadyRunning` when
 * one does for longer than `timeoutMs`.
 */
export async function oneAtATime<T>(
  folder: DataFolder,
  name: string,
  work: () => Promise<T>,
  timeoutMs = 60_000,
): Promise<T> {
  let owner: number | undefined;
  const attempt = () => {
    const claimed = claim(join(folder.run, `${name}.lock`));
    if (!("owner" in claimed)) return claimed;
    owner = claimed.owner.pid;
    return undefined;
  };
  const claimed = await waitFor(attempt, { timeoutMs, everyMs: 50 });
  if (claimed === undefined)
    throw new RuntimeError(
      "AlreadyRunning",
      `Process ${owner} works on the ${name} of ${folder.path}; try again later.`,
    );
  try {
    return await work();
  } finally {
    claimed.release();
  }
}

/** Takes a lock for this process until `release` or its end; who has it otherwise. */
function claim(lock: string): { release(): void } | { readonly owner: ProcessIdentity } {
  const own = identifyProcess(process.pid);
  if (own === undefined)
    throw new RuntimeError("ServerFailed", "The operating system doesn't tell about this process.");
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
      const owner = runningIn(lock);
      if (owner !== undefined) return { owner };
      removeStale(lock);
    }
  } finally {
    remove(mine);
  }
}

/** The running process that has claimed a data folder. */
export function ownerOf(folder: DataFolder): ProcessIdentity | undefined {
  return runningIn(lockOf(folder));
}

function runningIn(lock: string): ProcessIdentity | undefined {
  const identity = readIdentity(lock);
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
