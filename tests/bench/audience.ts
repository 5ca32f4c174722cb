import WebSocket from "ws";
import { newKey } from "./listener.ts";

/** How one kind of server is spoken to. */
export interface Dialect {
  readonly url: string;
  /** Takes what the server says until the socket is in; the answer goes back. True when it is in. */
  greet(message: string): { readonly say?: string; readonly isIn?: boolean; readonly refused?: boolean };
  /** What a member sends to post a text. */
  post(text: string): string;
  /** What a client says each 10 s. */
  readonly beat?: string;
  /** The answer to what is no event, if it wants one. Throws when it is a refusal. */
  answer(message: Buffer): string | undefined;
}

/** Sockets that all hear what each of them says, and check that each hears all of it in one order. */
export interface Audience {
  readonly size: number;
  /** Sends the next message as the member of that number; resolves when it came back there. */
  post(member: number): Promise<void>;
  /** Resolves when everybody has heard everything; throws if somebody has not after 20 s, or heard it otherwise than the others. */
  allHeard(): Promise<void>;
  /** Messages that came, over all members. */
  delivered(): number;
  /** From now on each member beats every 10 s, all in turn. */
  beat(): void;
  /** Milliseconds from the post to each delivery since the last call. */
  takeDelays(): number[];
  close(): void;
}

/** Text of an ordinary message; 8 digits before it say which one it is. */
const words = "The quality of mercy is not strained; it droppeth as the gentle rain from heaven upon the place.";
const textOf = (mark: number): string => `${String(mark).padStart(markDigits, "0")} ${words}`;
const markDigits = 8;
const opening = Buffer.from('"text":"');
const deadlineMs = 20_000;
const atOnce = 100;
const beatMs = 10_000;
const turnMs = 20;

/** What one member has heard. */
interface Member {
  readonly socket: WebSocket;
  readonly dialect: Dialect;
  count: number;
  /** Of all marks in their order. */
  digest: number;
  readonly awaited: Map<number, () => void>;
}

/** Opens a socket for each dialect; with `timed` each delivery is timed. */
export async function openAudience(dialects: readonly Dialect[], timed = false): Promise<Audience> {
  const members: Member[] = [];
  const sentAt: number[] = [];
  let delays: number[] = [];
  let delivered = 0;
  let fault: Error | undefined;
  let beating: NodeJS.Timeout | undefined;

  function hear(member: Member, mark: number): void {
    member.count += 1;
    member.digest = (Math.imul(member.digest, 31) + mark) | 0;
    delivered += 1;
    if (timed) delays.push(performance.now() - (sentAt[mark] ?? Number.NaN));
    member.awaited.get(mark)?.();
    member.awaited.delete(mark);
  }

  function take(member: Member, message: Buffer): void {
    let at = message.indexOf(opening);
    if (at === -1) {
      const answer = member.dialect.answer(message);
      if (answer !== undefined) member.socket.send(answer);
    }
    for (; at !== -1; at = message.indexOf(opening, at)) {
      at += opening.length;
      hear(member, Number(message.toString("latin1", at, at + markDigits)));
    }
  }

  async function enter(dialect: Dialect): Promise<void> {
    const socket = await openSocket(dialect);
    const member: Member = { socket, dialect, count: 0, digest: 0, awaited: new Map() };
    members.push(member);
    socket.on("message", (message: Buffer) => {
      try {
        take(member, message);
      } catch (error) {
        fault ??= error as Error;
      }
    });
    socket.on("close", (code) => {
      fault ??= new Error(`a socket was closed with ${code}`);
    });
  }

  function heardOtherwise(): Member | undefined {
    return members.find(({ count, digest }) => count !== sentAt.length || digest !== members[0]?.digest);
  }

  for (let first = 0; first < dialects.length; first += atOnce)
    await Promise.all(dialects.slice(first, first + atOnce).map(enter));
  return {
    size: members.length,
    post(index) {
      if (fault !== undefined) throw fault;
      const member = members[index % members.length] as Member;
      const mark = sentAt.push(performance.now()) - 1;
      member.socket.send(member.dialect.post(textOf(mark)));
      return new Promise((resolve) => member.awaited.set(mark, resolve));
    },
    async allHeard() {
      for (const endsAt = performance.now() + deadlineMs; delivered < members.length * sentAt.length; ) {
        if (fault !== undefined) throw fault;
        if (performance.now() > endsAt) break;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const strange = heardOtherwise();
      if (strange !== undefined)
        throw new Error(`of ${sentAt.length} messages a member heard ${strange.count}, or not in the others' order`);
    },
    delivered: () => delivered,
    beat() {
      const began = performance.now();
      let beats = 0;
      beating = setInterval(() => {
        for (const due = ((performance.now() - began) / beatMs) * members.length; beats < due; beats++) {
          const { socket, dialect } = members[beats % members.length] as Member;
          if (dialect.beat !== undefined) socket.send(dialect.beat);
        }
      }, turnMs);
    },
    takeDelays() {
      const taken = delays;
      delays = [];
      return taken;
    },
    close() {
      clearInterval(beating);
      for (const { socket } of members) socket.removeAllListeners("close").terminate();
    },
  };
}

/** Resolves when the server has let it in. */
function openSocket({ url, greet }: Dialect): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    const onMessage = (data: Buffer) => {
      const { say, isIn, refused } = greet(data.toString());
      if (refused === true) reject(new Error(data.toString()));
      if (say !== undefined) socket.send(say);
      if (isIn !== true) return;
      socket.off("message", onMessage).off("close", onClose).off("error", reject);
      // A line that breaks later is told of by its close.
      socket.on("error", () => undefined);
      resolve(socket);
    };
    const onClose = (code: number) => reject(new Error(`closed with ${code} before it was in`));
    socket.on("message", onMessage).on("close", onClose).on("error", reject);
  });
}

/** chat.v1, as somebody with a session who posts in a room. */
export function ours(port: number, token: string, room: string): Dialect {
  let requests = 0;
  return {
    url: `ws://127.0.0.1:${port}/v1/socket`,
    greet(message) {
      const frame = JSON.parse(message) as { readonly hello?: object; readonly ready?: object; readonly err?: object };
      const say = frame.hello && { say: JSON.stringify({ auth: { token } }) };
      return { isIn: frame.ready !== undefined, refused: frame.err !== undefined, ...say };
    },
    post(text) {
      requests += 1;
      return JSON.stringify({ i: requests, m: "postMessage", d: { room, text }, k: newKey() });
    },
    beat: JSON.stringify({ hb: 1 }),
    answer(message) {
      const frame = JSON.parse(message.toString()) as { readonly err?: object; readonly resync?: object };
      if (frame.err !== undefined || frame.resync !== undefined) throw new Error(message.toString());
      return undefined;
    },
  };
}

/** The frame that others pass on for a text: as chat.v1 has it. */
function eventOf(text: string): object {
  const [r, by] = ["01968a5e-7c1a-7000-8000-3d2c1b0a9f8e", "01968a5e-7c1a-7b0f-8a55-3d2c1b0a9f8e"];
  return { r, s: 1_000, t: "messagePosted", d: { text }, by, at: new Date().toISOString() };
}

/** A server of ours in `tests/bench` that greets with one empty message and then passes on what it gets. */
export function bare(port: number): Dialect {
  return {
    url: `ws://127.0.0.1:${port}/`,
    greet: () => ({ isIn: true }),
    post: (text) => JSON.stringify(eventOf(text)),
    answer: () => undefined,
  };
}

/** socket.io, over WebSocket alone: packets of Engine.IO (0 open, 2 ping, 3 pong, 4 message) with those of Socket.IO in them. */
export function socketIo(port: number): Dialect {
  return {
    url: `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`,
    greet: (message) => ({ isIn: message.startsWith("40"), ...(message.startsWith("0") && { say: "40" }) }),
    post: (text) => `42${JSON.stringify(["say", eventOf(text)])}`,
    answer: (message) => (message.toString() === "2" ? "3" : undefined),
  };
}
