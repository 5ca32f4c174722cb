import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { withDeadline } from "../../demo/waitFor.ts";
import { inherited } from "../../faults/ownBox.ts";

/** A process of the soak's own that takes orders and answers in turn. */
export interface OrderedChild<Order> {
  readonly pid: number;
  send(order: Order): void;
  /** Sends an order and resolves with what is said next. */
  ask(order: Order, timeoutMs: number): Promise<unknown>;
  /** Resolves when it is gone, by itself or not. */
  readonly gone: Promise<void>;
  end(signal?: NodeJS.Signals): Promise<void>;
}

const startMs = 60_000;

/** Starts a module of this folder, with its clock so far off; resolves when it says that it is there. */
export async function orderedChild<Order>(module: string, offMs = 0): Promise<OrderedChild<Order>> {
  const clock = offMs === 0 ? [] : ["--import", new URL("./shiftedClock.mjs", import.meta.url).href];
  const path = fileURLToPath(new URL(module, import.meta.url));
  const child: ChildProcess = spawn(process.execPath, ["--import", "tsx", ...clock, path], {
    env: { ...inherited(), ...clockEnvironment(offMs) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const said = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      child.once("message", resolve);
      void gone.then(() => reject(new Error(`${module} ended with ${child.signalCode ?? child.exitCode}`)));
    });
  const ended = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    child.kill(signal);
    child.kill("SIGCONT");
    await gone;
  };
  await withDeadline(`${module} starts`, startMs, said());
  return {
    pid: child.pid ?? 0,
    gone,
    send: (order) => void child.send(order as object),
    ask(order, timeoutMs) {
      const answer = withDeadline(`${module} answers`, timeoutMs, said());
      child.send(order as object);
      return answer;
    },
    end: ended,
  };
}

/** What a process finds in its environment whose clock is off, besides the preloaded module. */
function clockEnvironment(offMs: number): Record<string, string> {
  return offMs === 0 ? {} : { HUB_SOAK_CLOCK_MS: String(offMs) };
}

/** The same for an app, which is not started here. */
export function appClock(offMs: number): Record<string, string> {
  const path = new URL("./shiftedClock.mjs", import.meta.url).href;
  return offMs === 0 ? {} : { ...clockEnvironment(offMs), NODE_OPTIONS: `--import=${path}` };
}
