import { connect, createServer, type Socket } from "node:net";

/** A TCP line to a server on which things are kept on their way. */
export interface HeldLine {
  /** The server's URL by way of the line. */
  readonly url: string;
  /** What goes to the server (`up`), or comes from it (`down`), on the connections that there are, is kept from now on. */
  hold(direction: "up" | "down"): void;
  /** Whether something with these words is kept on its way to the server. */
  keeps(words: string): boolean;
  /** Ends the clients' connections. New ones keep nothing; the server does not see the end of those on which something is kept. */
  cut(): void;
  /** What was kept arrives, late as it is. */
  release(): void;
  close(): Promise<void>;
}

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
  readonly kept: { readonly [direction in "up" | "down"]: Buffer[] };
  readonly holding: Set<"up" | "down">;
}

/** Lays a line to the server at `url`. */
export async function heldLine(url: string): Promise<HeldLine> {
  const real = new URL(url);
  const connections = new Set<Connection>();

  function lay(client: Socket): void {
    const server = connect(Number(real.port), real.hostname);
    const one: Connection = { client, server, kept: { up: [], down: [] }, holding: new Set() };
    connections.add(one);
    const pass = (direction: "up" | "down", to: Socket) => (bytes: Buffer) => {
      if (one.holding.has(direction)) one.kept[direction].push(bytes);
      else if (to.writable) to.write(bytes);
    };
    client.on("data", pass("up", server));
    server.on("data", pass("down", client));
    client.on("close", () => one.kept.up.length > 0 || server.destroy());
    server.on("close", () => client.destroy());
    for (const socket of [client, server]) socket.on("error", () => undefined);
  }

  const listener = createServer(lay);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  const mine = new URL(url);
  mine.hostname = "127.0.0.1";
  mine.port = String(typeof address === "object" && address ? address.port : 0);
  return {
    url: mine.href,
    hold(direction) {
      for (const { holding } of connections) holding.add(direction);
    },
    keeps(words) {
      return [...connections].some(({ kept }) => Buffer.concat(kept.up).includes(words));
    },
    cut() {
      for (const { client } of connections) client.destroy();
    },
    release() {
      for (const { client, server, kept, holding } of connections) {
        holding.clear();
        for (const bytes of kept.up.splice(0)) if (server.writable) server.write(bytes);
        for (const bytes of kept.down.splice(0)) if (client.writable) client.write(bytes);
      }
    },
    close() {
      for (const { client, server } of connections) for (const socket of [client, server]) socket.destroy();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}
