import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP line to a server that can be cut and mended. */
export interface CutLine {
  /** The server's URL by way of the line. */
  readonly url: string;
  /** Ends all connections; new ones are refused. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/** Lays a line to the server at `url`. */
export async function cutLine(url: string): Promise<CutLine> {
  const real = new URL(url);
  const sockets = new Set<Socket>();
  let server: Server;
  const listen = (port: number) =>
    new Promise<number>((resolve) => {
      server = createServer((client) => {
        const target = connect(Number(real.port), real.hostname);
        for (const socket of [client, target]) {
          sockets.add(socket);
          // `pipe` passes an end on, and no failure.
          socket.on("error", () => {
            client.destroy();
            target.destroy();
          });
          socket.on("close", () => sockets.delete(socket));
        }
        client.pipe(target).pipe(client);
      }).listen(port, "127.0.0.1", () => {
        const address = server.address();
        resolve(typeof address === "object" && address ? address.port : 0);
      });
    });
  const port = await listen(0);
  const mine = new URL(url);
  mine.hostname = "127.0.0.1";
  mine.port = String(port);
  return {
    url: mine.href,
    cut() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
    mend: async () => void (await listen(port)),
  };
}
