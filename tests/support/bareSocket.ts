import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { derivedId } from "@connect-hub/domain/kernel";
import { vi } from "vitest";
import { WebSocket } from "ws";

/** A socket without the SDK: what is sent is sent, what comes is kept. */
export interface BareSocket {
  readonly frames: readonly Record<string, unknown>[];
  /** The code with which the socket was closed, once it is. */
  readonly closed: Promise<number>;
  /** Sends a frame, or a text as it is. */
  send(frame: object | string): void;
  /** The first frame, come or to come, that has a member of that name. */
  first<T = Record<string, unknown>>(member: string): Promise<T>;
  /** Sends a request and resolves with its answer. */
  ask(request: object): Promise<Record<string, unknown>>;
  /** Sends a command under a key of its own, `untilAnswered`. */
  command(m: string, d: object): Promise<Record<string, unknown>>;
  close(): void;
}

/** A key for one command. */
export const newKey = (): string => derivedId(Date.now(), randomUUID());

/** Asks, and asks again while the answer is to try later, as every client does. */
export async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (let asked = 1; ; asked += 1) {
    const answer = await ask();
    const { retry, afterMs = 500 } = (answer as { err?: { retry?: boolean; afterMs?: number } }).err ?? {};
    if (retry !== true || asked === 10) return answer;
    await delay(afterMs);
  }
}

/** Opens one at an edge's address; with a token it signs in. Rejects when the edge closes it before. */
export async function bareSocket(
  url: string,
  token?: string,
  headers: Record<string, string> = {},
): Promise<BareSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/socket`, { headers });
  const frames: Record<string, unknown>[] = [];
  socket.on("message", (data) => void frames.push(JSON.parse(String(data))));
  socket.on("error", () => undefined);
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  const found = (fits: (frame: Record<string, unknown>) => boolean) =>
    vi.waitFor(
      () => {
        const frame = frames.find(fits);
        if (frame === undefined) throw new Error(`no such frame among ${JSON.stringify(frames).slice(0, 2_000)}`);
        return frame;
      },
      { timeout: 15_000, interval: 10 },
    );
  let requests = 0;
  const bare: BareSocket = {
    frames,
    closed,
    send: (frame) => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    first: (member) => found((frame) => member in frame) as never,
    ask(request) {
      requests += 1;
      const i = requests;
      bare.send({ i, ...request });
      return found((frame) => frame.i === i);
    },
    command(m, d) {
      const k = newKey();
      return untilAnswered(() => bare.ask({ m, d, k }));
    },
    close: () => socket.close(),
  };
  const open = async () => {
    await bare.first("hello");
    if (token === undefined) return;
    bare.send({ auth: { token } });
    await bare.first("ready");
  };
  const refused = closed.then((code) => {
    throw new Error(`closed with ${code} before it was open: ${JSON.stringify(frames)}`);
  });
  await Promise.race([open(), refused]);
  return bare;
}
