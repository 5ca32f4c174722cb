import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  checkUrlServer,
  claimDataFolder,
  openDataFolder,
  type RunningServer,
  type ServerKind,
  type StartServerOptions,
  startServer,
  sweepAbandoned,
} from "@connect-hub/runtime";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** nats-server with JetStream and without users: every connection may do everything. */
    natsUrl: string;
    /** PostgreSQL as its superuser, database `hub`; make a database of your own. */
    postgresUrl: string;
    valkeyUrl: string;
  }
}

const prefix = "connect-hub-test-";

/** Name servers that run already, such as those of `npm run test:containers`; the others are started. */
const urlVariables: { readonly [kind in ServerKind]: string } = {
  nats: "HUB_TEST_NATS_URL",
  postgres: "HUB_TEST_POSTGRES_URL",
  valkey: "HUB_TEST_VALKEY_URL",
};

/**
 * Starts one of each server in a folder of its own, on free ports, for the run's integration tests; a server that the environment
 * names is used instead.
 * @public called by vitest
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // A run that was killed could not stop its servers.
  await sweepAbandoned(tmpdir(), prefix);
  const dataDir = mkdtempSync(join(tmpdir(), prefix));
  claimDataFolder(openDataFolder(dataDir));
  const onProgress = (message: string) => void process.stderr.write(`${message}\n`);
  const options = { dataDir, onProgress, privateOnly: process.env.HUB_SERVERS === "private" };
  const starts = [
    getServer("nats", { ...options, open: true }),
    getServer("postgres", options),
    getServer("valkey", options),
  ] as const;
  const settled = await Promise.allSettled(starts);
  const stop = async () => {
    const running = settled.flatMap((one): RunningServer[] => (one.status === "fulfilled" ? [one.value] : []));
    await Promise.all(running.map((server) => server.close()));
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const [nats, postgres, valkey] = await Promise.all(starts);
    project.provide("natsUrl", nats.url);
    project.provide("postgresUrl", postgres.url);
    project.provide("valkeyUrl", valkey.url);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

async function getServer(kind: ServerKind, options: StartServerOptions): Promise<RunningServer> {
  const url = process.env[urlVariables[kind]];
  if (url === undefined) return startServer(kind, options);
  return { ...(await checkUrlServer(kind, url)), dataFolder: undefined, process: undefined, close: async () => {} };
}
