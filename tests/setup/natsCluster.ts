import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats } from "@connect-hub/jetstream";
import {
  freePort,
  openDataFolder,
  readOrMakeSecret,
  type SupervisedProcess,
  startServer,
  waitFor,
} from "@connect-hub/runtime";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";

/** One nats-server, or several that are one cluster, of one test's own; each may be killed. */
export interface OwnNatsCluster {
  /** Of all of them, separated by commas. */
  readonly url: string;
  /** How many servers: as many replicas a stream may have. */
  readonly size: number;
  /** The environment of a box that uses them: where they are, how many replicas, who signs in how. */
  readonly env: { readonly [name: string]: string };
  /** Where one of them listens. */
  urlOf(index: number): string;
  /** The folder in which one of them keeps its streams. */
  storeOf(index: number): string;
  /** The process of one of them; undefined while it does not run. */
  pidOf(index: number): number | undefined;
  /** Which of them leads a stream (a bucket's is named `KV_<bucket>`); undefined while none does. */
  leaderOf(stream: string): Promise<number | undefined>;
  /** SIGKILL to one of them; it is started again by itself on the same data. Resolves when the process is gone. */
  killOne(index: number): Promise<void>;
  /** SIGKILL to all of them at once. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts `size` servers in fresh folders; resolves when streams can be made. `users`: with those of the top-level `nats.conf`,
 * who sign in as `env` says; default: without any.
 */
export async function startNatsCluster(
  size: 1 | 3,
  options: { readonly users?: boolean } = {},
): Promise<OwnNatsCluster> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const cluster = await tryToStart(size, options);
    if (cluster !== undefined) return cluster;
  }
  throw new Error(`${size} nats-servers chose no leader, ${attempts} times in ${leaderMs / 1_000} s.`);
}

const leaderMs = 12_000;
/** The ports on which they meet must be known before they start: one may be taken in between. */
const attempts = 3;

async function tryToStart(
  size: 1 | 3,
  { users = false }: { readonly users?: boolean },
): Promise<OwnNatsCluster | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-cluster-"));
  const { secrets } = openDataFolder(join(folder, "shared"));
  const peers = await Promise.all(Array.from({ length: size }, () => freePort()));
  const servers = await Promise.all(
    peers.map((port, index) => {
      const dataDir = join(folder, String(index));
      mkdirSync(dataDir);
      symlinkSync(secrets, join(dataDir, "secrets"));
      const cluster = size === 1 ? undefined : { serverName: `nats-${index}`, port, peers };
      return startServer("nats", { dataDir, open: !users, cluster });
    }),
  );
  const url = servers.map((server) => server.url).join(",");
  const logins = users ? loginsIn(join(folder, "shared")) : {};
  const { HUB_NATS_USER: user, HUB_NATS_PASSWORD: pass } = logins;
  async function ask<T>(question: (api: JetStreamManager) => Promise<T>): Promise<T> {
    const link = await connectNats({ url, user, password: pass, name: "cluster", inboxPrefix: "_INBOX_hub" });
    try {
      return await question(await jetstreamManager(link.nc, { checkAPI: false, timeout: 1_000 }));
    } finally {
      await link.close();
    }
  }
  const cluster: OwnNatsCluster = {
    url,
    size,
    env: { HUB_NATS_URL: url, HUB_NATS_REPLICAS: String(size), ...logins },
    urlOf: (index) => servers[index]?.url ?? "",
    storeOf: (index) => servers[index]?.dataFolder ?? "",
    pidOf: (index) => servers[index]?.process?.pid,
    async leaderOf(stream) {
      const { cluster: group } = await ask((api) => api.streams.info(stream));
      const index = size === 1 ? 0 : Number(group?.leader?.replace("nats-", "") || Number.NaN);
      return Number.isNaN(index) ? undefined : index;
    },
    killOne: (index) => killAndWait(servers[index]?.process),
    kill: async () => void (await Promise.all(servers.map((server) => killAndWait(server.process)))),
    async close() {
      await Promise.all(servers.map((server) => server.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  // A cluster takes nothing before its servers have met and chosen who leads them.
  const isLed = () =>
    ask((api) => api.getAccountInfo()).then(
      () => true,
      () => false,
    );
  if (await waitFor(isLed, { timeoutMs: leaderMs, everyMs: 50 })) return cluster;
  await cluster.close();
  return undefined;
}

/** How the apps sign in by these secrets, as a box by URL is told it. */
function loginsIn(dataDir: string): Record<string, string> {
  const folder = openDataFolder(dataDir);
  const logins = ["hub", "edge", "commands", "projector", "placement", "door"].flatMap((user) => {
    const prefix = user === "hub" ? "HUB" : `HUB_${user.toUpperCase()}`;
    return [
      [`${prefix}_NATS_USER`, user],
      [`${prefix}_NATS_PASSWORD`, readOrMakeSecret(folder, `nats-${user}`)],
    ];
  });
  return Object.fromEntries(logins);
}

/** SIGKILL to a process that is started again by itself; resolves when this one is gone. */
async function killAndWait(supervised: SupervisedProcess | undefined): Promise<void> {
  const pid = supervised?.pid;
  if (pid === undefined) return;
  process.kill(pid, "SIGKILL");
  const endsAt = Date.now() + 5_000;
  while (supervised?.pid === pid && Date.now() < endsAt) await new Promise((resolve) => setTimeout(resolve, 5));
}
