import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SupervisedProcess, startServer } from "@connect-hub/runtime";

/** A nats-server of one test's own, that may be killed. */
export interface OwnNats {
  readonly url: string;
  /** SIGKILL; it is started again by itself on the same data. Resolves when the process is gone. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** Starts one in a fresh folder, without users, as the shared one of the integration tests. */
export async function startOwnNats(): Promise<OwnNats> {
  const dataDir = mkdtempSync(join(tmpdir(), "connect-hub-nats-"));
  const server = await startServer("nats", { dataDir, open: true });
  return {
    url: server.url,
    kill: () => killAndWait(server.process),
    async close() {
      await server.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** SIGKILL to a process that is started again by itself; resolves when this one is gone. */
export async function killAndWait(supervised: SupervisedProcess | undefined): Promise<void> {
  const pid = supervised?.pid;
  if (pid === undefined) return;
  process.kill(pid, "SIGKILL");
  const endsAt = Date.now() + 5_000;
  while (supervised?.pid === pid && Date.now() < endsAt) await new Promise((resolve) => setTimeout(resolve, 5));
}
