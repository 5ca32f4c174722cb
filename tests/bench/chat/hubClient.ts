import WebSocket from "ws";
import { newKey } from "../listener.ts";
import { type ChatClient, type OpenOptions, Tally } from "./chat.ts";

/** What the edge sends, as far as the bench looks at it. */
interface Frame {
  readonly hello?: { readonly heartbeatMs: number };
  readonly ready?: { readonly rooms: readonly { readonly id: string; readonly s: number; readonly epoch: string }[] };
  readonly resumed?: { readonly [room: string]: readonly [string, string, number] };
  readonly i?: number;
  readonly ok?: unknown;
  readonly err?: { readonly retry: boolean; readonly afterMs?: number };
}

function refusalOf(err: NonNullable<Frame["err"]>): Error {
  return err.retry ? new TurnedAway(err.afterMs ?? 250) : new Error(JSON.stringify(err));
}

interface Event {
  readonly r: string;
  readonly s: number;
  readonly t: string;
  readonly d: { readonly text?: string };
}

/** The edge said when to come again. */
class TurnedAway extends Error {
  readonly afterMs: number;

  constructor(afterMs: number) {
    super(`come again in ${afterMs} ms`);
    this.afterMs = afterMs;
  }
}

/** A client of `chat.v1` that reads everything and shows nothing. Resolves when it has signed in, after some attempts if it is told to wait. */
export async function openHubClient(url: string, token: string, options: OpenOptions = {}): Promise<ChatClient> {
  for (;;) {
    try {
      return await signIn(url, token, options);
    } catch (error) {
      if (!(error instanceof TurnedAway)) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.afterMs));
    }
  }
}

async function signIn(url: string, token: string, { from, onMessage }: OpenOptions): Promise<ChatClient> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const tally = new Tally();
  const cursor = new Map(from);
  const answers = new Map<number, (frame: Frame) => unknown>();
  let requests = 0;
  let heartbeat: NodeJS.Timeout | undefined;

  const take = ({ r, s, t, d }: Event): void => {
    const last = cursor.get(r);
    cursor.set(r, { number: s, epoch: last?.epoch ?? "" });
    // Other events have their numbers too, so that a hole is seen even when it is not a message that is missing.
    const isNext = last === undefined || s === last.number + 1;
    if (t === "messagePosted") {
      tally.take(s, isNext);
      if (d.text !== undefined) onMessage?.(d.text);
    } else if (!isNext) tally.misordered += 1;
  };

  const greet = (heartbeatMs: number): void => {
    const resume = Object.fromEntries([...cursor].map(([room, { number, epoch }]) => [room, [epoch, number]]));
    socket.send(JSON.stringify({ auth: { token, resume } }));
    let beats = 0;
    heartbeat = setInterval(() => socket.send(`{"hb":${++beats}}`), heartbeatMs);
  };

  const enter = ({ rooms }: NonNullable<Frame["ready"]>): void => {
    for (const { id, s, epoch } of rooms) cursor.set(id, { number: cursor.get(id)?.number ?? s, epoch });
  };

  const goOn = (resumed: NonNullable<Frame["resumed"]>): void => {
    for (const [room, [outcome]] of Object.entries(resumed))
      if (outcome !== "ok") throw new Error(`${room} could not be resumed: ${outcome}`);
  };

  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", (code) => {
      clearInterval(heartbeat);
      reject(new Error(`closed with ${code}`));
    });
    socket.on("message", (data: Buffer) => {
      const read = JSON.parse(data.toString()) as Frame | Event | readonly Event[];
      if (Array.isArray(read)) return read.forEach(take);
      if ("r" in read) return take(read);
      const frame = read as Frame;
      if (frame.i !== undefined) return answers.get(frame.i)?.(frame);
      if (frame.err !== undefined) return reject(refusalOf(frame.err));
      if (frame.hello !== undefined) greet(frame.hello.heartbeatMs);
      goOn(frame.resumed ?? {});
      if (frame.ready === undefined) return;
      enter(frame.ready);
      resolve();
    });
  });

  /** Asks again when it is told to, as every client does. */
  function ask<Answer>(request: object): Promise<Answer> {
    const i = ++requests;
    const frame = JSON.stringify({ i, ...request });
    return new Promise((resolve, reject) => {
      answers.set(i, ({ ok, err }) => {
        if (err?.retry === true) return setTimeout(() => socket.send(frame), err.afterMs ?? 100);
        answers.delete(i);
        if (err === undefined) resolve(ok as Answer);
        else reject(new Error(JSON.stringify(err)));
      });
      socket.send(frame);
    });
  }

  return {
    tally,
    cursor: () => new Map(cursor),
    post: async (room, text) =>
      (await ask<{ readonly s: number }>({ m: "postMessage", d: { room, text }, k: newKey() })).s,
    async page(room, before, limit) {
      const { events } = await ask<{ readonly events: readonly Event[] }>({ q: "history", d: { room, before, limit } });
      return events.map(({ s }) => s);
    },
    has: (count) => tally.has(count),
    close: () => socket.terminate(),
  };
}
