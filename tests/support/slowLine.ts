import { connect, createServer, type Socket } from "node:net";
import { pause } from "@connect-hub/domain/kernel";

/** A TCP line to a server that gives little at a time, but never nothing. */
export interface SlowLine {
  readonly port: number;
  close(): Promise<void>;
}

/** Lays a line to a port of this machine which lets through `bytes` every `everyMs`, in each direction. */
export async function slowLine(
  port: number,
  { bytes, everyMs }: { readonly bytes: number; readonly everyMs: number },
): Promise<SlowLine> {
  const sockets = new Set<Socket>();
  async function drip(from: Socket, to: Socket): Promise<void> {
    for await (const chunk of from)
      for (let at = 0; at < chunk.length; at += bytes) {
        to.write(chunk.subarray(at, at + bytes));
        await pause(everyMs);
      }
    to.end();
  }
  const server = createServer((client) => {
    const target = connect({ port, host: "127.0.0.1", noDelay: true });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    }
    // Either end may go at any time.
    drip(client, target).catch(() => target.destroy());
    drip(target, client).catch(() => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
