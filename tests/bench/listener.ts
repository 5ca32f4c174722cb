import { randomUUID } from "node:crypto";
import WebSocket from "ws";

/** What an accepted request came to, and a token of what it rests on. */
interface Answer {
  readonly ok: unknown;
  readonly p: string;
}

/** A socket that counts the events it gets. */
export interface Listener {
  events(): number;
  /** Sends a command of chat.v1 and resolves when it is answered. */
  command(method: string, data: object): Promise<void>;
  /** Sends a request of chat.v1 and resolves with what it is answered; rejects when it is refused. */
  ask(request: object): Promise<Answer>;
  /** Sends a text and resolves when it came back. */
  echo(frame: string): Promise<void>;
  close(): void;
}

/** Connects and, with a token, signs in. */
export async function openListener(url: string, token?: string): Promise<Listener> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const answers = new Map<number, (frame: Answer & { err?: unknown }) => void>();
  const echoes: (() => void)[] = [];
  let ready: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const isReady = new Promise<void>((resolve, reject) => {
    ready = resolve;
    fail = reject;
  });
  let events = 0;
  let requests = 0;
  socket.on("error", fail);
  socket.on("close", (code) => fail(new Error(`closed with ${code}`)));
  if (token === undefined) socket.on("open", ready);
  socket.on("message", (data: Buffer) => {
    // Events begin with their room; several of one commit come as an array.
    if (data[0] === openBracket) {
      events += (JSON.parse(data.toString()) as unknown[]).length;
      return;
    }
    if (data[2] === letterR && data[3] === quote) {
      events += 1;
      echoes.shift()?.();
      return;
    }
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
    events: () => events,
    ask,
    async command(method, data) {
      await ask({ m: method, d: data, k: newKey() });
    },
    echo: (frame) =>
      new Promise((resolve) => {
        echoes.push(resolve);
        socket.send(frame);
      }),
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

const openBracket = 0x5b;
const letterR = 0x72;
const quote = 0x22;
