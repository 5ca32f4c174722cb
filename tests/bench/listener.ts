import { randomUUID } from "node:crypto";
import WebSocket from "ws";

/** What an accepted request came to, and a token of what it rests on. */
interface Answer {
  readonly ok: unknown;
  readonly p: string;
}

/** A socket of a client. */
export interface Listener {
  /** Sends a command of chat.v1 and resolves when it is answered. */
  command(method: string, data: object): Promise<void>;
  /** Sends a request of chat.v1 and resolves with what it is answered; rejects when it is refused. */
  ask(request: object): Promise<Answer>;
  close(): void;
}

/** Connects and signs in. */
export async function openListener(url: string, token: string): Promise<Listener> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const answers = new Map<number, (frame: Answer & { err?: unknown }) => void>();
  let ready: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const isReady = new Promise<void>((resolve, reject) => {
    ready = resolve;
    fail = reject;
  });
  let requests = 0;
  socket.on("error", fail);
  socket.on("close", (code) => fail(new Error(`closed with ${code}`)));
  socket.on("message", (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as Frame;
    if (frame.hello) socket.send(JSON.stringify({ auth: { token } }));
    if (frame.ready) ready();
    if (frame.i !== undefined) answers.get(frame.i)?.(frame);
  });
  await isReady;
  const ask = (request: object): Promise<Answer> => {
    requests += 1;
    const i = requests;
    return new Promise((resolve, reject) => {
      answers.set(i, (frame) => {
        answers.delete(i);
        if (frame.err === undefined) resolve(frame);
        else reject(new Error(JSON.stringify(frame.err)));
      });
      socket.send(JSON.stringify({ i, ...request }));
    });
  };
  return {
    ask,
    async command(method, data) {
      await ask({ m: method, d: data, k: newKey() });
    },
    close: () => socket.terminate(),
  };
}

interface Frame extends Answer {
  readonly hello?: object;
  readonly ready?: object;
  readonly i?: number;
  readonly err?: unknown;
}

/** A UUIDv7. */
export function newKey(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
