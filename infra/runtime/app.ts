import { plainError } from "./appLog.ts";
import { answerPulse } from "./pulse.ts";
import { BadSetting } from "./settings.ts";

/** What a started app can be asked: to finish what it has begun and let go of everything. */
export interface RunningApp {
  close(): Promise<void>;
  /** Resolves with the reason when it can't go on and has to be started anew. */
  readonly over?: Promise<Error>;
}

/** What an app gives as its `over`, and what ends it; only the first end counts. */
export function untilOver(): { readonly over: Promise<Error>; end(reason: Error): void } {
  let end: (reason: Error) => void = () => undefined;
  const over = new Promise<Error>((resolve) => {
    end = resolve;
  });
  return { over, end };
}

/** What an app says to the process that started it, once it works. */
export interface AppStarted {
  readonly started: string;
}

const drainTimeoutMs = 15_000;
const apps: { readonly name: string; readonly running: Promise<RunningApp> }[] = [];
let draining = false;

/**
 * Runs an app as the work of this process, which may hold several: each `main.ts` calls this once. SIGTERM, SIGINT and the end of
 * the process that started this one close all apps, the last one first, and exit with 0. What isn't caught is logged and
 * exits with 1, as does an app that can't start, takes more than 15 s to close, or says that it is over. A bad setting is said in one
 * line, and exits with 2.
 */
export function runApp(name: string, start: () => Promise<RunningApp>): void {
  if (apps.length === 0) watchProcess();
  const running = start();
  apps.push({ name, running });
  running.then(
    // The process that started this one may be gone already; then `disconnect` says so.
    ({ over }) => {
      process.send?.({ started: name } satisfies AppStarted, undefined, undefined, () => {});
      over?.then((reason) => crash(name, "has to begin anew", reason));
    },
    (error: unknown) => {
      // Asked to go while it was starting: that it failed at that is no news.
      if (!draining) crash(name, "could not start", error);
    },
  );
}

/** Whether several apps are the work of this process. */
export function sharesProcess(): boolean {
  return apps.length > 1;
}

/**
 * The environment as one app sees it when several share a process: `HUB_EDGE_NATS_USER` stands for `HUB_NATS_USER` in the app
 * `edge` and wins over it.
 */
export function appEnv(name: string, env: NodeJS.ProcessEnv = process.env): Record<string, string | undefined> {
  const own = `HUB_${name.toUpperCase()}_`;
  const overrides = Object.entries(env).flatMap(([key, value]) =>
    key.startsWith(own) ? [[`HUB_${key.slice(own.length)}`, value] as const] : [],
  );
  return { ...env, ...Object.fromEntries(overrides) };
}

function watchProcess(): void {
  process.on("SIGTERM", () => void drain());
  process.on("SIGINT", () => void drain());
  if (process.connected) {
    process.on("disconnect", () => void drain());
    answerPulse();
  }
  process.on("uncaughtException", (error) => crash("process", "failed", error));
  process.on("unhandledRejection", (reason) => crash("process", "failed", reason));
}

async function drain(): Promise<void> {
  if (draining) return;
  draining = true;
  setTimeout(() => crash("process", "took too long to close", undefined), drainTimeoutMs).unref();
  for (const { name, running } of apps.toReversed()) {
    const app = await running.catch(() => undefined);
    try {
      await app?.close();
    } catch (error) {
      crash(name, "could not close", error);
    }
  }
  process.exit(0);
}

// The same shape as the apps' own log lines; 60 is "fatal".
function crash(name: string, msg: string, error: unknown): never {
  if (error instanceof BadSetting) {
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
  const err = plainError(error);
  process.stderr.write(`${JSON.stringify({ level: 60, time: Date.now(), name, msg, err })}\n`);
  process.exit(1);
}
