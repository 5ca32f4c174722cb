import { createServer } from "node:net";
import { RuntimeError } from "./errors.ts";

const loopback = "127.0.0.1";

/** A TCP port on the loopback address that was free a moment ago. */
export function freePort(): Promise<number> {
  return listenOnce(0, loopback);
}

/**
 * Promises that `port` can be listened on; throws `PortInUse` naming `variable` otherwise.
 * @param owner what was to listen there, for the message
 */
export async function assertPortFree(port: number, variable: string, owner: string, host = loopback): Promise<void> {
  try {
    await listenOnce(port, host);
  } catch (cause) {
    const why = isErrno(cause, "EACCES") ? "may not be used by this user" : "is in use";
    throw new RuntimeError(
      "PortInUse",
      `Port ${port} for ${owner} ${why}. Stop what listens there, or choose another with ${variable}=<port>.`,
      cause,
    );
  }
}

function listenOnce(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
    });
  });
}

/** Whether an error is the operating system's error of that name, such as `ENOENT`. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
