import { createRequire } from "node:module";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import ssh2, { type Algorithms, type ClientErrorExtensions } from "ssh2";
import { NodeError } from "./errors.ts";
import { fingerprintOf } from "./hostKey.ts";

// The only module that touches ssh2.

/** Whether ssh2's own cipher code was built; without it transfers take several times the CPU. */
export function nativeCrypto(): boolean {
  const crypto: unknown = createRequire(import.meta.url)("ssh2/lib/protocol/crypto.js");
  return (
    typeof crypto === "object" && crypto !== null && "bindingAvailable" in crypto && crypto.bindingAvailable === true
  );
}

/** Where an sshd is. */
export interface SshAddress {
  readonly host: string;
  readonly port: number;
}

/** How to log in. */
export interface LoginOptions {
  readonly user: string;
  readonly privateKey: string;
  /** For the line, the keys and the login together. */
  readonly connectTimeoutMs: number;
  /** Of a line on which nothing is asked: when nothing was heard for so long, it is asked whether it lives. */
  readonly keepAliveMs: number;
  /** The fingerprint that the host key must have. */
  readonly hostKey: string;
  readonly signal?: AbortSignal | undefined;
}

/** A connection that is logged in. */
export interface SshConnection {
  /** The SFTP subsystem's own bytes. */
  readonly stream: Duplex;
  /** Runs what writes to the stream, so that all of it goes out in one piece. */
  together(run: () => void): void;
  /** Called once, when the connection is gone. */
  onGone(told: (error: NodeError) => void): void;
  /** At once. */
  destroy(): void;
  /** Says goodbye first. */
  end(): void;
}

// The quickest first, by what was measured: AES-GCM is the one with hardware help on both sides.
const algorithms: Algorithms = {
  cipher: [
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
  ],
  // The pinned key is of the first kind that the node has, so this order is part of the pin.
  serverHostKey: ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "rsa-sha2-512", "rsa-sha2-256"],
  compress: ["none"],
};

/**
 * Connects, checks the host key before anything else is said, logs in by key and opens SFTP.
 * @throws NodeError `NodeUnreachable`, `HostKeyMismatch`, `LoginRefused`; what `signal` gives as its reason
 */
export function openSftp(address: SshAddress, options: LoginOptions): Promise<SshConnection> {
  const { user, privateKey, keepAliveMs, hostKey } = options;
  let shown: string | undefined;
  return dial(address, options, (socket, client, resolve, reject) => {
    client.on("ready", () => {
      try {
        client.subsys("sftp", (error, stream) => {
          if (error !== undefined)
            return reject(new NodeError("LoginRefused", `${nameOf(address)} offers no SFTP.`, error));
          // What sshd has to say besides, such as that there is no home; unread it would hold the channel up.
          stream.stderr.resume();
          resolve(connectionOf(socket, client, stream));
        });
      } catch (error) {
        reject(error);
      }
    });
    client.on("error", (error) => {
      const { level } = error;
      if (shown !== undefined && shown !== hostKey) {
        const message = `${nameOf(address)} shows the host key ${shown}, but ${hostKey} was recorded. Nothing was sent.`;
        reject(new NodeError("HostKeyMismatch", message, error));
      } else if (level === "client-authentication") {
        reject(new NodeError("LoginRefused", `${nameOf(address)} doesn't let ${user} in with this box's key.`, error));
      } else {
        reject(unreachable(address, error));
      }
    });
    client.connect({
      sock: socket,
      username: user,
      // No attempt without a key first: it would only cost a round trip.
      privateKey,
      authHandler: ["publickey"],
      readyTimeout: 0,
      keepaliveInterval: keepAliveMs,
      keepaliveCountMax: 1,
      algorithms,
      hostVerifier(key: Buffer) {
        shown = fingerprintOf(key);
        return shown === hostKey;
      },
    });
  });
}

/**
 * The fingerprint of the host key that an sshd shows, for a person to compare; nothing else is said to it.
 * @throws NodeError `NodeUnreachable`
 */
export function probeHostKey(
  address: SshAddress,
  { timeoutMs = 10_000 }: { timeoutMs?: number } = {},
): Promise<string> {
  return dial(address, { connectTimeoutMs: timeoutMs }, (socket, client, resolve, reject) => {
    client.on("error", (error) => reject(unreachable(address, error)));
    client.connect({
      sock: socket,
      username: "nobody",
      algorithms,
      hostVerifier(key: Buffer) {
        resolve(fingerprintOf(key));
        setImmediate(() => socket.destroy());
        return false;
      },
    });
  });
}

type Dialled<T> = (
  socket: Socket,
  client: InstanceType<typeof ssh2.Client>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
) => void;

// One attempt with a deadline. Whatever ends it without success destroys the socket: ssh2 alone only half-closes it.
function dial<T>(
  address: SshAddress,
  { connectTimeoutMs, signal }: { readonly connectTimeoutMs: number; readonly signal?: AbortSignal | undefined },
  begin: Dialled<T>,
): Promise<T> {
  if (signal?.aborted === true) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.host, port: address.port, noDelay: true });
    const over = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    const fail = (error: unknown) => {
      over();
      reject(error);
      socket.destroy();
    };
    const abort = () => fail(signal?.reason);
    const late = () => fail(unreachable(address, new Error(`no answer within ${connectTimeoutMs} ms`)));
    const timer = setTimeout(late, connectTimeoutMs);
    signal?.addEventListener("abort", abort);
    socket.on("error", (error) => fail(unreachable(address, error)));
    socket.on("close", () => fail(unreachable(address, new Error("it ended the connection"))));
    socket.once("connect", () => {
      const succeed = (value: T) => {
        over();
        resolve(value);
      };
      try {
        begin(socket, new ssh2.Client(), succeed, fail);
      } catch (error) {
        fail(error);
      }
    });
  });
}

function connectionOf(socket: Socket, client: InstanceType<typeof ssh2.Client>, stream: Duplex): SshConnection {
  return {
    stream,
    together(run) {
      socket.cork();
      try {
        run();
      } finally {
        socket.uncork();
      }
    },
    onGone(told) {
      const cut = (cause?: Error) => {
        socket.destroy();
        told(new NodeError("NodeCut", "The line to the node is dead.", cause));
      };
      client.on("error", cut);
      client.on("close", () => cut());
      socket.on("close", () => cut());
      if (socket.destroyed) cut();
    },
    destroy: () => void socket.destroy(),
    end: () => void client.end(),
  };
}

function unreachable(address: SshAddress, cause: Error & Partial<ClientErrorExtensions>): NodeError {
  return new NodeError("NodeUnreachable", `${nameOf(address)} can't be reached: ${cause.message}`, cause);
}

function nameOf({ host, port }: SshAddress): string {
  return `${host}:${port}`;
}
