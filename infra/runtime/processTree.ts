import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** The processes that a process has started, and those that these have, as far as they run now. */
export function descendantsOf(pid: number): readonly number[] {
  const parents = process.platform === "linux" ? parentsFromProc() : parentsFromPs();
  const found = [pid];
  // It grows while it is walked.
  for (const parent of found) for (const [child, of] of parents) if (of === parent) found.push(child);
  return found.slice(1);
}

/**
 * Sends a signal to a process and all its descendants. It is stopped first, so that it starts no more in the meantime.
 * Those that are gone already are passed over.
 */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  signalOne(pid, "SIGSTOP");
  const others = descendantsOf(pid);
  for (const one of [...others, pid]) signalOne(one, signal);
  if (signal !== "SIGSTOP") signalOne(pid, "SIGCONT");
}

/** Sends a signal to a process; to one that is gone already, nothing. */
export function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function parentsFromProc(): readonly (readonly [number, number])[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // After the name in brackets come the state and the parent.
      return [[Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])] as const];
    } catch {
      return [];
    }
  });
}

function parentsFromPs(): readonly (readonly [number, number])[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => {
    const [pid, parent] = line.trim().split(/\s+/);
    return [Number(pid), Number(parent)] as const;
  });
}
