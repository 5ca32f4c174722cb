import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RuntimeError } from "./errors.ts";
import { readTextIfThere, remove } from "./files.ts";
import { endLeftover, writeIdentity } from "./pidFile.ts";
import { endProcess, identifyProcess } from "./processIdentity.ts";
import { watchPulse } from "./pulse.ts";
import { waitFor } from "./waitFor.ts";

/** How to run a process and how to tell that it works. */
export interface ProcessPlan {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Output is appended here. */
  readonly logFile: string;
  /** Holds the process's identity while it runs, so that a later run can find it when this one was killed. */
  readonly pidFile: string;
  /** Gives the child a channel that closes when this process dies (see `runApp`). */
  readonly channel?: boolean;
  /** Once it is ready, a process that answers nothing on its channel for so many milliseconds is killed, and so started again; never if left out. */
  readonly silentMs?: number | undefined;
  /** Asked again and again until it says true; `said` is what the child has sent over its channel. */
  isReady(pid: number, said: readonly unknown[]): Promise<boolean> | boolean;
  readonly readyTimeoutMs: number;
  readonly stopSignal: NodeJS.Signals;
  readonly stopTimeoutMs: number;
}

/** `waiting`: it ended by itself and is started again after a pause. */
export type ProcessState = "starting" | "ready" | "waiting" | "stopped";

/** A process that is started again whenever it ends by itself. */
export interface SupervisedProcess {
  readonly name: string;
  /** Undefined while it doesn't run. */
  readonly pid: number | undefined;
  readonly state: ProcessState;
  readonly restarts: number;
  /** Ends it (its signal, then SIGKILL) and waits until it is gone. May be called again. */
  stop(): Promise<void>;
}

/** Who is told, and who may call it off. */
export interface SuperviseOptions {
  readonly onChange?: (() => void) | undefined;
  /** Ends the start; once the process is ready it has no effect. */
  readonly signal?: AbortSignal | undefined;
}

const firstPauseMs = 100;
const longestPauseMs = 5_000;
// A process that ran this long is well again: the next failure starts with the shortest pause.
const healthyAfterMs = 10_000;
// What a killed predecessor still holds for a moment, such as PostgreSQL's shared memory, is free a little later.
const firstAttempts = 3;
const maxLogBytes = 8 * 1024 * 1024;

/**
 * Starts a process, resolves when it is ready, and from then on starts it again, with a growing pause, whenever it ends.
 * A process that an earlier, killed run left behind under the same pid file is ended first.
 * @throws RuntimeError `ServerFailed` with the end of its log when it fails three times to become ready; what `signal` gives
 *   as its reason when that fires first
 */
export async function superviseProcess(
  plan: ProcessPlan,
  { onChange = () => {}, signal }: SuperviseOptions = {},
): Promise<SupervisedProcess> {
  await endLeftover(plan.pidFile, plan.stopSignal, plan.stopTimeoutMs);
  rotateLog(plan.logFile);
  const process = new Supervised(plan, onChange);
  await process.begin(signal);
  return process;
}

class Supervised implements SupervisedProcess {
  readonly name: string;
  pid: number | undefined;
  state: ProcessState = "starting";
  restarts = 0;
  readonly #plan: ProcessPlan;
  readonly #onChange: () => void;
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #trouble: unknown;

  constructor(plan: ProcessPlan, onChange: () => void) {
    this.name = plan.name;
    this.#plan = plan;
    this.#onChange = onChange;
  }

  async begin(signal: AbortSignal | undefined): Promise<void> {
    const stop = () => this.#stopping.abort();
    signal?.addEventListener("abort", stop);
    const ready = await new Promise<boolean>((resolve) => {
      this.#loop = this.#keepRunning(resolve);
    });
    signal?.removeEventListener("abort", stop);
    if (ready && signal?.aborted !== true) return;
    await this.stop();
    signal?.throwIfAborted();
    const tail = readTextIfThere(this.#plan.logFile)?.slice(-2_000).trim() ?? "";
    const why = this.#trouble instanceof Error ? ` (${this.#trouble.message})` : "";
    const message = `${this.name} did not start${why}. The end of ${this.#plan.logFile}:\n${tail}`;
    throw new RuntimeError("ServerFailed", message, this.#trouble);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#end();
    await this.#loop;
  }

  async #end(): Promise<void> {
    const identity = this.pid === undefined ? undefined : identifyProcess(this.pid);
    if (identity !== undefined) await endProcess(identity, this.#plan.stopSignal, this.#plan.stopTimeoutMs);
  }

  // Says once whether it became ready; never, for a process that failed each of the first times, is it tried again.
  async #keepRunning(begun: (ready: boolean) => void): Promise<void> {
    let pauseMs = firstPauseMs;
    let failuresLeft = firstAttempts;
    for (;;) {
      const since = performance.now();
      const run = this.#launch();
      if (await run.ready) {
        failuresLeft = Number.POSITIVE_INFINITY;
        begun(true);
      }
      if (this.#stopping.signal.aborted) await this.#end();
      await run.exited;
      if (--failuresLeft === 0 || this.#stopping.signal.aborted) break;
      pauseMs = performance.now() - since > healthyAfterMs ? firstPauseMs : pauseMs;
      this.#set("waiting");
      await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopping.signal.aborted) break;
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      this.restarts++;
    }
    this.#set("stopped");
    begun(false);
  }

  #launch(): Run {
    this.#set("starting");
    let child: ChildProcess;
    try {
      child = spawnPlan(this.#plan);
      this.pid = child.pid;
      const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
      if (identity !== undefined) writeIdentity(this.#plan.pidFile, identity);
    } catch (error) {
      // No right to become that account, or no room for its log: what ends the start may pass by itself later on.
      this.#trouble = error;
      return { exited: this.#end(), ready: Promise.resolve(false) };
    }
    const over = new AbortController();
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      // Without a pid it could not be started at all, and no exit follows.
      child.on("error", (error) => {
        this.#trouble = error;
        if (child.pid === undefined) resolve();
      });
    }).then(() => {
      over.abort();
      this.pid = undefined;
      remove(this.#plan.pidFile);
    });
    return { exited, ready: this.#awaitReady(child, AbortSignal.any([over.signal, this.#stopping.signal])) };
  }

  async #awaitReady(child: ChildProcess, signal: AbortSignal): Promise<boolean> {
    const { pid } = child;
    if (pid === undefined) return false;
    const said: unknown[] = [];
    const hear = (message: unknown) => said.push(message);
    child.on("message", hear);
    // What can't be asked isn't ready.
    const ask = async () => this.#plan.isReady(pid, said);
    const check = () => ask().catch(() => false);
    const ready = await waitFor(check, { timeoutMs: this.#plan.readyTimeoutMs, signal });
    child.off("message", hear);
    if (signal.aborted) return false;
    if (ready === true) {
      this.#set("ready");
      this.#watch(child, signal);
    }
    // Alive and useless: the loop starts another.
    else child.kill("SIGKILL");
    return ready === true;
  }

  #watch(child: ChildProcess, signal: AbortSignal): void {
    const { silentMs } = this.#plan;
    if (silentMs === undefined) return;
    const onSilent = () => {
      // Not even SIGTERM reaches one that is stopped.
      child.kill("SIGKILL");
      this.#log(`did not answer for ${silentMs / 1_000} s: it is killed and started again`);
    };
    watchPulse(child, { silentMs, signal, onSilent });
  }

  /** A line in the log of the process, in the shape of the apps' own; 50 is "error". */
  #log(msg: string): void {
    const { name, logFile } = this.#plan;
    try {
      appendFileSync(logFile, `${JSON.stringify({ level: 50, time: Date.now(), name, pid: this.pid, msg })}\n`);
    } catch {
      // A full disk is no reason to let the process be.
    }
  }

  #set(state: ProcessState): void {
    this.state = state;
    this.#onChange();
  }
}

interface Run {
  readonly exited: Promise<void>;
  readonly ready: Promise<boolean>;
}

function spawnPlan(plan: ProcessPlan): ChildProcess {
  mkdirSync(dirname(plan.logFile), { recursive: true });
  const log = openSync(plan.logFile, "a", 0o600);
  try {
    return spawn(plan.command, plan.args, {
      cwd: plan.cwd,
      env: plan.env,
      ...(plan.uid === undefined ? {} : { uid: plan.uid, gid: plan.gid }),
      // A group of its own, so that Ctrl-C reaches the supervisor alone, which stops all in order.
      detached: true,
      stdio: plan.channel === true ? ["ignore", log, log, "ipc"] : ["ignore", log, log],
    });
  } finally {
    closeSync(log);
  }
}

function rotateLog(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > maxLogBytes) renameSync(path, `${path}.1`);
}
