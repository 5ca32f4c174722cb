import { claimDataFolder } from "./claim.ts";
import { openDataFolder } from "./dataFolder.ts";
import { type NatsLogin, type NatsUser, natsLogins } from "./nats.ts";
import type { OnProgress } from "./privateCopy.ts";
import { type ServerKind, serverFacts, serverKinds } from "./serverKinds.ts";
import { type RunningServer, startServer } from "./startServer.ts";
import { checkUrlServer } from "./urlServer.ts";

/** How to get the servers of one box. */
export interface StartServersOptions {
  readonly dataDir: string;
  /** Default: 7751, 7752, 7753; 0 for any free one, kept as long as the servers run. */
  readonly ports?: Readonly<Partial<Record<ServerKind, number | undefined>>>;
  /** Servers that run already; nothing is started for these. */
  readonly urls?: Readonly<Partial<Record<ServerKind, string | undefined>>>;
  /** Ignore what is installed on the machine. */
  readonly privateOnly?: boolean;
  readonly searchPath?: string;
  readonly cacheFolder?: string;
  readonly onProgress?: OnProgress;
  /** Told when the state of one of the processes changes. */
  readonly onChange?: () => void;
  /** Calls the start off. */
  readonly signal?: AbortSignal;
  /** Asks a PostgreSQL given by URL for its version. */
  readonly postgresVersion?: (url: string) => Promise<string>;
}

/** The servers of one box. */
export interface BoxServers {
  readonly nats: RunningServer;
  readonly postgres: RunningServer;
  readonly valkey: RunningServer;
  /** How each app signs in to the box's own NATS; undefined for one by URL. */
  readonly natsLogins: Readonly<Record<NatsUser, NatsLogin>> | undefined;
  /** Stops those that were started here and gives the data folder free. */
  close(): Promise<void>;
}

/**
 * Claims a data folder and gets all servers, side by side: by URL, or started on the loopback address from a program on the path
 * or a private copy. Resolves when all answer; each is started again when it dies.
 * @throws RuntimeError as `startServer` does, and `AlreadyRunning`, `ServerUnreachable`; what was started is stopped first
 */
export async function startServers(options: StartServersOptions): Promise<BoxServers> {
  const folder = openDataFolder(options.dataDir);
  const claim = claimDataFolder(folder);
  // One that can't be had calls the others off.
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const starts = serverKinds.map(async (kind) => {
    try {
      return await startOne(kind, { ...options, signal });
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  });
  const settled = await Promise.allSettled(starts);
  const started = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const close = async () => {
    await Promise.all(started.map((server) => server.close()));
    claim.release();
  };
  const [nats, postgres, valkey] = started;
  if (nats === undefined || postgres === undefined || valkey === undefined) {
    await close();
    throw signal.reason;
  }
  return { nats, postgres, valkey, natsLogins: nats.source === "url" ? undefined : natsLogins(folder), close };
}

async function startOne(kind: ServerKind, options: StartServersOptions): Promise<RunningServer> {
  const url = options.urls?.[kind];
  if (url !== undefined) {
    const server = await checkUrlServer(kind, url, options.postgresVersion);
    return { ...server, dataFolder: undefined, process: undefined, close: async () => {} };
  }
  const { ports: _ports, urls: _urls, postgresVersion: _postgresVersion, ...rest } = options;
  return startServer(kind, { ...rest, port: options.ports?.[kind] ?? serverFacts[kind].defaultPort });
}
