import { once } from "node:events";
import { createServer } from "node:net";
import { CannotListen, PortTaken } from "./errors.ts";

/** Throws `PortTaken` when somebody listens there, `CannotListen` when this process may not or no such address is here. */
export async function assertPortFree(host: string, port: number): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const probe = createServer();
    probe.once("error", resolve);
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
  if (error === undefined) return;
  throw error.code === "EADDRINUSE" ? new PortTaken(host, port, error) : new CannotListen(host, port, error);
}

/** A port at which nobody listens just now. Throws `CannotListen`. */
export async function freePort(host: string): Promise<number> {
  const probe = createServer();
  try {
    await once(probe.listen({ host, port: 0, exclusive: true }), "listening");
    const address = probe.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  } catch (error) {
    throw new CannotListen(host, 0, error);
  } finally {
    probe.close();
  }
}
