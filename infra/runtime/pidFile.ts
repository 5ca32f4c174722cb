import { readTextIfThere, remove, writeFileAtomic } from "./files.ts";
import { endProcess, type ProcessIdentity } from "./processIdentity.ts";

/** Ends the process that a pid file names, if that very process still runs, and removes the file. */
export async function endLeftover(pidFile: string, signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
  const identity = readIdentity(pidFile);
  if (identity !== undefined) await endProcess(identity, signal, timeoutMs);
  remove(pidFile);
}

/** The identity in a pid file; `undefined` when there is none. */
export function readIdentity(pidFile: string): ProcessIdentity | undefined {
  const [pid, startedAt] = (readTextIfThere(pidFile) ?? "").split("\n");
  return pid === undefined || startedAt === undefined ? undefined : { pid: Number(pid), startedAt };
}

/** Writes a pid file for a running process. */
export function writeIdentity(pidFile: string, identity: ProcessIdentity): void {
  writeFileAtomic(pidFile, `${identity.pid}\n${identity.startedAt}\n`);
}
