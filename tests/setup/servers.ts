import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimDataFolder, openDataFolder, type RunningServer, startServer, sweepAbandoned } from "@connect-hub/runtime";
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

/**
 * Starts one of each server in a folder of its own, on free ports, for the run's integration tests.
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
    startServer("nats", { ...options, open: true }),
    startServer("postgres", options),
    startServer("valkey", options),
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
