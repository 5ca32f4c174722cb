import { connect, createServer, type Server, type Socket } from "node:net";
import { pause } from "@connect-hub/domain/kernel";

/**
 * What happens to bytes on their way. `clear`: nothing. `late`: each lot waits up to `ms`. `drip`: so many `bytes` go on every `everyMs`. `single`:
 * each byte travels alone. `held`: nothing arrives, nobody is told (half-open); who goes back to another way lets what was held arrive late.
 */
export type Way =
  | { readonly way: "clear" }
  | { readonly way: "late"; readonly ms: number }
  | { readonly way: "drip"; readonly bytes: number; readonly everyMs: number }
  | { readonly way: "single" }
  | { readonly way: "held" };

/** A TCP line to a server that can be made as bad as lines are. */
export interface TcpLine {
  /** The server's URL by way of the line. */
  readonly url: string;
  /** The connections that there are. */
  readonly connections: number;
  /** How many lots of bytes went another way than `clear`. */
  readonly touched: number;
  /** From now on, for the connections that there are; with `newOnes` also for those to come. */
  go(way: Way, options?: { readonly newOnes?: boolean }): void;
  /** Ends all connections, half way through whatever is on them: by a FIN, or with `reset` by a RST. Returns how many. */
  drop(how?: "reset"): number;
  /** `drop`, and refuses new ones until `mend`. */
  cut(): Promise<number>;
  mend(): Promise<void>;
  close(): Promise<void>;
}

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
  way: Way;
  /** Called when the way changes. */
  waiting: (() => void)[];
}

const clear: Way = { way: "clear" };

/** Lays a line to the server at `url`. `random` decides how late is late: 0 ≤ x < 1. */
export async function tcpLine(url: string, random: () => number = Math.random): Promise<TcpLine> {
  const real = new URL(url);
  const connections = new Set<Connection>();
  let wayOfNew = clear;
  let touched = 0;
  let listener: Server | undefined;

  function lay(client: Socket): void {
    const server = connect({ port: Number(real.port), host: real.hostname, noDelay: true });
    client.setNoDelay(true);
    const one: Connection = { client, server, way: wayOfNew, waiting: [] };
    connections.add(one);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        connections.delete(one);
        wake(one);
        other.destroy();
      });
      carry(one, socket, other).catch(() => other.destroy());
    }
  }

  async function carry(one: Connection, from: Socket, to: Socket): Promise<void> {
    for await (const lot of from) {
      while (one.way.way === "held" && !to.destroyed) await new Promise<void>((resolve) => one.waiting.push(resolve));
      if (one.way.way !== "clear") touched += 1;
      await pass(one, lot, to);
    }
    to.end();
  }

  async function pass(one: Connection, lot: Buffer, to: Socket): Promise<void> {
    const { way } = one;
    if (way.way === "late") await pause(way.ms * random());
    const size = sizeOn(way) ?? lot.length;
    for (let at = 0; at < lot.length; ) {
      // A way that is over holds nothing back any more.
      const part = one.way === way ? lot.subarray(at, at + size) : lot.subarray(at);
      at += part.length;
      if (!to.write(part)) await drained(to);
      if (at === lot.length) return;
      await (way.way === "drip" ? pause(way.everyMs) : new Promise(setImmediate));
    }
  }

  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const opened = createServer(lay);
      listener = opened;
      opened.once("error", reject).listen(port, "127.0.0.1", () => {
        const address = opened.address();
        resolve(typeof address === "object" && address ? address.port : 0);
      });
    });
  const port = await listen(0);

  function drop(how?: "reset"): number {
    const count = connections.size;
    for (const { client, server } of connections) {
      for (const socket of [client, server]) how === "reset" ? socket.resetAndDestroy() : socket.destroy();
    }
    connections.clear();
    return count;
  }
  function cut(): Promise<number> {
    const count = drop();
    return new Promise((resolve) => listener?.close(() => resolve(count)));
  }
  return {
    url: Object.assign(new URL(url), { hostname: "127.0.0.1", port: String(port) }).href,
    get connections() {
      return connections.size;
    },
    get touched() {
      return touched;
    },
    go(way, { newOnes = false } = {}) {
      wayOfNew = newOnes || way.way === "clear" ? way : wayOfNew;
      for (const one of connections) {
        one.way = way;
        wake(one);
      }
    },
    drop,
    cut,
    mend: async () => void (await listen(port)),
    close: async () => void (await cut()),
  };
}

/** How many bytes go on at once; undefined: all. */
function sizeOn(way: Way): number | undefined {
  return way.way === "drip" ? way.bytes : way.way === "single" ? 1 : undefined;
}

function wake({ waiting }: Connection): void {
  for (const resolve of waiting.splice(0)) resolve();
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("drain", resolve);
    socket.once("close", () => resolve());
  });
}
