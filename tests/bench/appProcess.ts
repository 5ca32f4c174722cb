import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { appArgs, checkout } from "@connect-hub/runtime";
import { cpuSecondsOf } from "./processCpu.ts";

/** A process of one or several apps. */
export interface AppProcess {
  readonly pid: number;
  /** CPU seconds it has used. */
  cpuSeconds(): number;
  /** Its memory at present, in bytes. */
  bytes(): number;
  /** The most memory that it has had, in bytes. */
  peakBytes(): number;
  close(): Promise<void>;
}

/** Starts the apps with these settings and resolves when each says that it has started. */
export async function startApps(apps: readonly string[], env: NodeJS.ProcessEnv): Promise<AppProcess> {
  return start(appArgs(apps), env, apps.length);
}

/** Starts a TypeScript file and resolves after its first message. */
export async function startScript(file: string, env: NodeJS.ProcessEnv): Promise<AppProcess> {
  return start(["--import", "tsx", file], env, 1);
}

async function start(args: readonly string[], env: NodeJS.ProcessEnv, messages: number): Promise<AppProcess> {
  const child = spawn(process.execPath, args, {
    cwd: checkout,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  for (let heard = 0; heard < messages; heard++) await messageOf(child);
  const pid = child.pid ?? 0;
  return {
    pid,
    cpuSeconds: () => cpuSecondsOf(pid),
    bytes: () => bytesOf(pid, "VmRSS"),
    peakBytes: () => bytesOf(pid, "VmHWM"),
    async close() {
      if (child.exitCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await gone;
    },
  };
}

function bytesOf(pid: number, figure: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, kibibytes] = new RegExp(`^${figure}:\\s+(\\d+) kB$`, "m").exec(status) ?? [];
  return Number(kibibytes) * 1024;
}

async function messageOf(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`a process of the bench ended with ${code} before it had started`);
  });
  await Promise.race([once(child, "message"), gone]);
}
