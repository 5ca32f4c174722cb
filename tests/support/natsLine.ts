import { connect, createServer, type Socket } from "node:net";
import { NatsMessages } from "./natsMessages.ts";

/** Messages that are to be lost on their way. */
export interface Loss {
  /** On subjects that begin so. */
  readonly subject?: string;
  /** Or the answers to what the client publishes on subjects that begin so. */
  readonly answersTo?: string;
  /** To the server (`up`) or from it (`down`); `up` if left out, for answers `down`. */
  readonly way?: "up" | "down";
  /** So many of them; all if left out. */
  readonly atMost?: number;
}

/** A loss that happens until it is ended. */
export interface RunningLoss {
  /** How many messages were lost so. */
  readonly count: number;
  end(): void;
}

/** A TCP line between one client and NATS that knows what goes over it. */
export interface NatsLine {
  /** Where the client finds the server. */
  readonly url: string;
  /** When the client last published on a subject that begins so, by this machine's clock; undefined for never. */
  publishedAt(prefix: string): number | undefined;
  /** From now on nothing gets through in either direction; it is kept. */
  hold(): void;
  /** What was held goes on its way, even when the client has given its connection up meanwhile. */
  release(): void;
  /** From now on these messages are lost, beside those of other losses; all else gets through. */
  lose(loss: Loss): RunningLoss;
  close(): Promise<void>;
}

interface OwnLoss {
  readonly way: "up" | "down";
  readonly atMost: number | undefined;
  count: number;
  fits(subject: string): boolean;
  /** The client published on a subject and wants the answer in this inbox. */
  sawAsked(subject: string, inbox: string): void;
}

/** One connection: what is on its way to the server and back. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly up: Buffer[];
  readonly down: Buffer[];
}

/** Lays a line to the servers at `urls`, separated by commas; each connection goes to the first of them that answers. */
export async function natsLine(urls: string): Promise<NatsLine> {
  const targets = urls.split(",").map((url) => new URL(url));
  const pairs = new Set<Pair>();
  const published = new Map<string, number>();
  let isHeld = false;
  const losses = new Set<OwnLoss>();
  let turn = 0;

  function isLost(way: "up" | "down", subject: string | undefined): boolean {
    if (subject === undefined) return false;
    for (const loss of losses) {
      if (loss.way !== way || loss.count === loss.atMost || !loss.fits(subject)) continue;
      loss.count += 1;
      return true;
    }
    return false;
  }

  const listener = createServer((client) => {
    client.on("error", () => undefined);
    // Another one at each try, as a client does that knows all of them.
    const target = targets[turn++ % targets.length];
    if (target === undefined) return;
    const server = connect({ port: Number(target.port), host: target.hostname, noDelay: true });
    const pair: Pair = { client, server, up: [], down: [] };
    pairs.add(pair);
    const messages = new NatsMessages((bytes, subject, reply) => {
      if (subject !== undefined) published.set(subject, Date.now());
      if (subject !== undefined && reply !== undefined) for (const loss of losses) loss.sawAsked(subject, reply);
      if (isLost("up", subject)) return;
      if (isHeld) pair.up.push(bytes);
      else server.write(bytes);
    });
    client.on("data", (chunk) => messages.push(chunk));
    const answers = new NatsMessages((bytes, subject) => {
      if (isLost("down", subject)) return;
      const told = withoutOthers(bytes);
      if (isHeld) pair.down.push(told);
      else client.write(told);
    });
    server.on("data", (chunk) => answers.push(chunk));
    server.on("error", () => undefined);
    server.on("close", () => {
      pairs.delete(pair);
      client.destroy();
    });
    // What is held is still to arrive.
    client.on("close", () => {
      if (!isHeld) server.end();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  return {
    url: `nats://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`,
    publishedAt: (prefix) => {
      const times = [...published].flatMap(([subject, at]) => (subject.startsWith(prefix) ? [at] : []));
      return times.length === 0 ? undefined : Math.max(...times);
    },
    hold() {
      isHeld = true;
    },
    release() {
      isHeld = false;
      for (const { client, server, up, down } of pairs) {
        for (const bytes of up.splice(0)) server.write(bytes);
        for (const bytes of down.splice(0)) client.write(bytes);
        if (client.destroyed) server.end();
      }
    },
    lose({ subject = "", answersTo, way = answersTo === undefined ? "up" : "down", atMost }) {
      const inboxes = new Set<string>();
      const loss: OwnLoss = {
        way,
        atMost,
        count: 0,
        fits: (on) => (answersTo === undefined ? on.startsWith(subject) : inboxes.has(on)),
        sawAsked(on, inbox) {
          if (answersTo !== undefined && on.startsWith(answersTo)) inboxes.add(inbox);
        },
      };
      losses.add(loss);
      return {
        get count() {
          return loss.count;
        },
        end: () => void losses.delete(loss),
      };
    },
    close() {
      for (const { client, server } of pairs) {
        client.destroy();
        server.destroy();
      }
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}

/**
 * Takes the addresses of a cluster's other servers out of what a server says of itself, by blanks, so that its length stays: a client
 * that knew them would go around the line.
 */
function withoutOthers(message: Buffer): Buffer {
  if (!message.subarray(0, info.length).equals(info)) return message;
  const text = message.toString("latin1");
  const blanked = text.replace(/(?<="connect_urls":\[)[^\]]*/, (found) => " ".repeat(found.length));
  return Buffer.from(blanked, "latin1");
}

const info = Buffer.from("INFO ");
