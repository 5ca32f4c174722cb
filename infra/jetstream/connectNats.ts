import { LogUnavailable, pause } from "@connect-hub/domain/kernel";
import { createInbox, errors, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { LogServerTooOld } from "./errors.ts";
import { type LinkEvent, watchStatus } from "./linkEvents.ts";

/** A connection to NATS that comes back by itself, for ever. */
export interface NatsLink {
  /** The client beneath, for the other files of this package. */
  readonly nc: NatsConnection;
  /** The version of the server first met, for example `2.15.1`. */
  readonly serverVersion: string;
  /** Whether the connection stands, as far as is known. */
  readonly connected: boolean;
  /** Calls `listener` at each event from now on; the answer ends that. */
  onEvent(listener: (event: LinkEvent) => void): () => void;
  /** A subject of our own to be answered on. */
  newInbox(): string;
  /** Resolves when the connection stands, or with false after `timeoutMs` or when the link was closed. */
  whenConnected(timeoutMs: number): Promise<boolean>;
  /** Sends what is waiting, for at most a second, and closes. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** `nats://host:port`, several separated by commas; a user and password in it count when `user` is left out. */
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** The connection's name, as operators see it. */
  readonly name: string;
  /** The first part of every inbox, so that an app can be kept out of others'. `_INBOX` if left out. */
  readonly inboxPrefix?: string | undefined;
  /** How long the first connection is tried. 10,000 if left out. */
  readonly deadlineMs?: number | undefined;
}

const oldestServer = [2, 12] as const;
const closeTimeoutMs = 1_000;
// A server that is frozen, or away behind a dead line, is left for another one of its cluster after at most three of these.
const pingIntervalMs = 2_000;

/**
 * Connects; tries again until the deadline. Throws `LogUnavailable` when no server answers or it refuses the user, and
 * `LogServerTooOld` when it is older than 2.12.
 */
export async function connectNats(options: ConnectOptions): Promise<NatsLink> {
  const nc = await connectByDeadline(options);
  const serverVersion = nc.info?.version ?? "";
  if (isOlder(serverVersion)) {
    await nc.close();
    throw new LogServerTooOld(serverVersion, oldestServer.join("."));
  }
  const status = watchStatus(nc);
  return {
    nc,
    serverVersion,
    get connected() {
      return status.connected();
    },
    onEvent: status.onEvent,
    newInbox: () => createInbox(options.inboxPrefix),
    whenConnected: (timeoutMs) => whenConnected(status, timeoutMs),
    close: () => closeGently(nc),
  };
}

async function connectByDeadline(options: ConnectOptions): Promise<NatsConnection> {
  const { servers, user, pass } = addressOf(options);
  const endsAt = Date.now() + (options.deadlineMs ?? 10_000);
  for (;;) {
    const leftMs = endsAt - Date.now();
    try {
      return await connect({
        servers,
        ...(user === undefined ? {} : { user, pass: pass ?? "" }),
        name: options.name,
        ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
        timeout: Math.max(250, Math.min(leftMs, 2_000)),
        maxReconnectAttempts: -1,
        ignoreAuthErrorAbort: true,
        reconnectDelayHandler: () => 100 + Math.random() * 150,
        pingInterval: pingIntervalMs,
        maxPingOut: 2,
        noAsyncTraces: true,
      });
    } catch (cause) {
      const refused = cause instanceof errors.AuthorizationError;
      if (refused) throw new LogUnavailable(`The NATS server refused the user "${user ?? ""}".`, { cause });
      if (Date.now() + 100 >= endsAt)
        throw new LogUnavailable(`No NATS server answers at ${servers.join(", ")}.`, { cause });
      await pause(100);
    }
  }
}

function addressOf(options: ConnectOptions): { servers: string[]; user: string | undefined; pass: string | undefined } {
  const urls = options.url.split(",").map((url) => new URL(url.includes("://") ? url.trim() : `nats://${url.trim()}`));
  const first = urls[0];
  const fromUrl = options.user === undefined && first !== undefined && first.username !== "";
  return {
    servers: urls.map((url) => `${url.hostname}:${url.port || "4222"}`),
    user: fromUrl ? decodeURIComponent(first.username) : options.user,
    pass: fromUrl ? decodeURIComponent(first.password) : options.password,
  };
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major < oldestServer[0] || (major === oldestServer[0] && minor < oldestServer[1]);
}

function whenConnected(status: ReturnType<typeof watchStatus>, timeoutMs: number): Promise<boolean> {
  if (status.connected()) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (connected: boolean) => {
      clearTimeout(timer);
      stop();
      resolve(connected);
    };
    const timer = setTimeout(settle, timeoutMs, false);
    const stop = status.onEvent((event) => {
      if (event.type === "connected" || event.type === "closed") settle(event.type === "connected");
    });
  });
}

async function closeGently(nc: NatsConnection): Promise<void> {
  if (nc.isClosed()) return;
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, closeTimeoutMs);
  });
  await Promise.race([nc.flush().catch(() => undefined), patience]);
  clearTimeout(timer);
  await nc.close();
}
