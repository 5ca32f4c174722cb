import type { WireError } from "@connect-hub/protocol";
import { WebSocket } from "ws";

/** What became of sockets that all signed in at once, each as often as it took. */
export interface Storm {
  /** What those were told that were turned away, in that order. */
  readonly refusals: readonly WireError[];
  /** Sockets that were closed without a word, or could not be opened. */
  readonly cut: number;
  /** For each socket, in ascending order, how long it took until it was ready. */
  readonly readyAfterMs: readonly number[];
  close(): void;
}

export interface StormOptions {
  readonly url: string;
  /** Of whom the sockets are, in turn. */
  readonly tokens: readonly string[];
  readonly count: number;
  /** Rejects when not all are ready by then. */
  readonly timeoutMs: number;
}

const longestWaitMs = 10_000;

/** Opens `count` sockets at once; who is turned away comes back after as long as it is told and then, like one that was cut, a random time. */
export async function storm({ url, tokens, count, timeoutMs }: StormOptions): Promise<Storm> {
  const refusals: WireError[] = [];
  const open = new Set<WebSocket>();
  const startedAt = performance.now();
  let cut = 0;
  let ready = 0;
  let isOver = false;

  /** Whether it got ready; if not, how long it shall wait at least. */
  function attempt(token: string): Promise<{ readonly afterMs: number } | "ready"> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/v1/socket`, { perMessageDeflate: false });
      let refusal: WireError | undefined;
      open.add(socket);
      socket.on("error", () => undefined);
      socket.on("message", (data: Buffer) => {
        const frame = JSON.parse(data.toString());
        if ("hello" in frame) socket.send(JSON.stringify({ auth: { token } }));
        if ("ready" in frame) resolve("ready");
        if ("err" in frame) refusal = frame.err;
      });
      socket.on("close", () => {
        open.delete(socket);
        if (refusal !== undefined) refusals.push(refusal);
        else cut++;
        resolve({ afterMs: refusal?.afterMs ?? 0 });
      });
    });
  }

  async function comeIn(token: string): Promise<number> {
    for (let ceilingMs = 250; ; ceilingMs = Math.min(2 * ceilingMs, longestWaitMs)) {
      const outcome = await attempt(token);
      if (outcome === "ready") {
        ready++;
        return performance.now() - startedAt;
      }
      if (isOver) throw new Error("the storm is over");
      await new Promise((resolve) => setTimeout(resolve, outcome.afterMs + Math.random() * ceilingMs));
    }
  }

  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isOver = true;
      for (const socket of open) socket.terminate();
      reject(
        new Error(
          `after ${timeoutMs} ms ${ready} of ${count} sockets are ready, ${refusals.length} were refused, ${cut} cut`,
        ),
      );
    }, timeoutMs);
  });
  const coming = Promise.all(Array.from({ length: count }, (_, at) => comeIn(tokens[at % tokens.length] ?? "")));
  coming.catch(() => undefined);
  const readyAfterMs = await Promise.race([coming, late]).finally(() => clearTimeout(timer));
  return {
    refusals,
    cut,
    readyAfterMs: readyAfterMs.sort((a, b) => a - b),
    close() {
      for (const socket of open) socket.terminate();
    },
  };
}
