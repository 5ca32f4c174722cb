import { createServer } from "node:net";
import { CannotListen, PortTaken } from "./errors.ts";

/** Why that address and port could not be listened at: uWebSockets.js only says that it failed, Node says the reason. */
export async function whyNotListening(host: string, port: number): Promise<PortTaken | CannotListen> {
  const cause = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const probe = createServer();
    probe.once("error", resolve);
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
  return cause?.code === "EADDRINUSE" ? new PortTaken(host, port, cause) : new CannotListen(host, port, cause);
}
