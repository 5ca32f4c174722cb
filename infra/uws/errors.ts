/** Another program listens at that port. */
export class PortTaken extends Error {
  readonly code = "PortTaken";

  constructor(host: string, port: number, cause: unknown) {
    super(`port ${port} of ${host} is taken: set HUB_PORT to a free one, or stop the program that listens there`, {
      cause,
    });
  }
}

/** The address or port can't be listened at: no right to, or no such address on this machine. */
export class CannotListen extends Error {
  readonly code = "CannotListen";

  constructor(host: string, port: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : "no reason was given";
    super(`can't listen at port ${port} of ${host} (${why}): look at HUB_HOST and HUB_PORT`, { cause });
  }
}

/** The client went away before the whole body of its request had come. */
export class RequestAborted extends Error {
  readonly code = "RequestAborted";

  constructor() {
    super("the client went away before the end of its request");
  }
}

/** The native library of the edge is not the one that this code was made for. */
export class NativeBindingMissing extends Error {
  readonly code = "NativeBindingMissing";

  constructor() {
    super(
      `uWebSockets.js has no native binding for ${process.platform} ${process.arch} and Node ${process.version}: ` +
        "Linux with glibc, macOS or Windows, and Node 20, 22, 24 or 25 are needed",
    );
  }
}
