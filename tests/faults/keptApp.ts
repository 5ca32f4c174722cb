import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { appArgs, checkout } from "@connect-hub/runtime";
import { waitFor } from "../demo/waitFor.ts";

/** An app in a process of its own, that is started again as soon as it dies. */
export interface KeptApp {
  /** The id of the present process. */
  readonly pid: number;
  /** How often it died by SIGKILL. */
  readonly kills: number;
  /** How it ended otherwise. */
  readonly odd: readonly string[];
  /** Resolves when the present process works; a later one when that dies before. */
  ready(): Promise<void>;
  /** Ends the present process as an operator would, and begins another one with `more` in its environment; resolves when that works. */
  again(more?: { readonly [variable: string]: string }): Promise<void>;
  close(): Promise<void>;
}

export interface KeptAppOptions {
  readonly name: "edge" | "placement" | "commands" | "projector";
  readonly env: { readonly [variable: string]: string };
  readonly logFile: string;
}

const readyMs = 60_000;

/** Starts an app, and again when it dies. */
export function keepApp(options: KeptAppOptions): KeptApp {
  let kills = 0;
  const odd: string[] = [];
  let isClosing = false;
  let isTold = false;
  let more: { readonly [variable: string]: string } = {};
  let isReady = false;
  let waiting: (() => void)[] = [];
  let running: ChildProcess;
  const begin = () => {
    isReady = false;
    isTold = false;
    running = start({ ...options, env: { ...options.env, ...more } });
    running.on("message", () => {
      isReady = true;
      for (const resolve of waiting) resolve();
      waiting = [];
    });
    running.once("exit", (code, signal) => {
      if (isClosing) return;
      if (isTold) return begin();
      if (signal === "SIGKILL") kills += 1;
      // One that finds a server away when it begins says so and is begun anew, as in service.
      else if (isReady || code !== 1) odd.push(`${options.name} ended with ${signal ?? code}: ${lastWords(options)}`);
      begin();
    });
  };
  begin();
  return {
    get pid() {
      return running.pid ?? 0;
    },
    get kills() {
      return kills;
    },
    odd,
    async ready() {
      if (isReady) return;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${options.name} does not start: ${options.logFile}`)), readyMs);
      });
      await Promise.race([new Promise<void>((resolve) => waiting.push(resolve)), late]);
      clearTimeout(timer);
    },
    async again(added = {}) {
      const before = running;
      more = added;
      isTold = true;
      await end(before);
      await this.ready();
    },
    async close() {
      isClosing = true;
      await end(running);
    },
  };
}

/** The last line that it logged. */
function lastWords({ logFile }: KeptAppOptions): string {
  return readFileSync(logFile, "utf8").trimEnd().split("\n").at(-1) ?? "";
}

/** Kills a process that is started again, and waits until it is. */
export async function killApp(app: KeptApp): Promise<void> {
  const before = app.pid;
  process.kill(before, "SIGKILL");
  await waitFor("the killed process is replaced", () => app.pid !== before, readyMs);
  await app.ready();
}

function start({ name, env, logFile }: KeptAppOptions): ChildProcess {
  const log = openSync(logFile, "a");
  try {
    return spawn(process.execPath, appArgs([name]), {
      cwd: checkout,
      env,
      stdio: ["ignore", log, log, "ipc"],
    });
  } finally {
    closeSync(log);
  }
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
    // One that was stopped heeds nothing else.
    child.kill("SIGCONT");
  });
}
