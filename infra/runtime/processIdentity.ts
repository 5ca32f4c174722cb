import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { waitFor } from "./waitFor.ts";

/** A process that can't be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the operating system's own words: compared, never read. */
  readonly startedAt: string;
}

/** The identity of a running process; `undefined` when there is none, or only what is left of it (a zombie). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === "linux" ? startFromProc(pid) : startFromPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** Whether that very process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startedAt === identity.startedAt;
}

/** A name of this process that can be part of a file's name, and whether the process of such a name still runs. */
export function processNames(): { readonly mine: string; isAlive(name: string): boolean } {
  const nameOf = (pid: number): string | undefined => {
    const identity = identifyProcess(pid);
    if (identity === undefined) return undefined;
    return `${pid}-${createHash("sha256").update(identity.startedAt).digest("hex").slice(0, 16)}`;
  };
  return {
    mine: nameOf(process.pid) ?? `${process.pid}-0`,
    isAlive: (name) => nameOf(Number.parseInt(name, 10)) === name,
  };
}

/**
 * Ends that very process, and nothing if it is gone: first by `signal`, after `timeoutMs` by SIGKILL. Resolves when it is gone.
 * A process of another user throws `EPERM`.
 */
export async function endProcess(identity: ProcessIdentity, signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
  if (!isRunning(identity)) return;
  kill(identity.pid, signal);
  const gone = () => !isRunning(identity);
  if (await waitFor(gone, { timeoutMs })) return;
  kill(identity.pid, "SIGKILL");
  await waitFor(gone, { timeoutMs: 5_000 });
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // Gone between the look and the signal.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function startFromProc(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The name, in brackets, may hold spaces and brackets itself; what follows the last one is fields 3 and up of proc(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : `${bootId()}/${fields[19]}`;
}

// Start times count from boot, so without the boot's id a process after a reboot could look the same.
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

function startFromPs(pid: number): string | undefined {
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return line === "" || line.startsWith("Z") ? undefined : line.replace(/^\S+\s+/, "");
  } catch {
    return undefined;
  }
}
