import { setTimeout as delay } from "node:timers/promises";
import type { NodeError } from "./errors.ts";
import { type NodeLink, nodeLink } from "./nodeLink.ts";
import { SftpSession } from "./sftpSession.ts";
import { openSftp, type SshAddress } from "./ssh2.ts";

/** A content node, as it was added. */
export interface NodeTarget extends SshAddress {
  readonly user: string;
  /** The node's folder there: absolute, or from where a login begins. */
  readonly path: string;
  /** The pinned host key, `SHA256:…`. */
  readonly hostKey: string;
}

/** How to connect. */
export interface ConnectOptions {
  /** In OpenSSH's or PEM format, without a passphrase. */
  readonly privateKey: string;
  /** Until it can be used; default 10 s. */
  readonly connectTimeoutMs?: number;
  /** With something open, so long nothing may be heard before the line counts as dead; default 15 s. */
  readonly idleTimeoutMs?: number;
  /** How many requests of 32 KiB a transfer has under way; default 64. Fewer delay others on the same line less. */
  readonly window?: number;
  /** Calls the connecting off. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to a content node and makes its folder ready.
 * @throws NodeError `NodeUnreachable`, `HostKeyMismatch` (nothing was sent then), `LoginRefused`, `WrongPath`, `NodeFull`, `NodeCut`,
 *   `BadAnswer`; what `signal` gives as its reason
 */
export async function connectNode(target: NodeTarget, options: ConnectOptions): Promise<NodeLink> {
  const { connectTimeoutMs = 10_000, idleTimeoutMs = 15_000, window = 64, signal, privateKey } = options;
  const { user, hostKey } = target;
  const deadline = performance.now() + connectTimeoutMs;
  const connection = await openSftp(target, {
    ...{ user, hostKey, privateKey, connectTimeoutMs, signal },
    // Asked once after half of the time and given up at the end of it.
    keepAliveMs: Math.ceil(idleTimeoutMs / 2),
  });
  let closing = false;
  let over: (error: NodeError | undefined) => void;
  const closed = new Promise<NodeError | undefined>((resolve) => {
    over = (error) => resolve(closing ? undefined : error);
  });
  // Whichever of the line and the session ends takes the other along.
  const session = new SftpSession(connection.stream, { idleTimeoutMs, together: connection.together });
  connection.onGone((error) => session.end(error));
  session.onEnd((error) => {
    over(error);
    connection.destroy();
  });
  const abort = () => connection.destroy();
  // The rest of the time to connect, and the caller's signal, hold for the first words as well.
  const late = setTimeout(abort, Math.max(0, deadline - performance.now()));
  signal?.addEventListener("abort", abort);
  try {
    await session.start();
    const close = async () => {
      closing = true;
      connection.end();
      // A frozen node never answers the goodbye.
      await Promise.race([closed, delay(500, undefined, { ref: false })]);
      connection.destroy();
      await closed;
    };
    return await nodeLink({ session, path: target.path.replace(/(?<=.)\/+$/, ""), window, closed, close });
  } catch (error) {
    connection.destroy();
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(late);
    signal?.removeEventListener("abort", abort);
  }
}
