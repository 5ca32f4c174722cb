import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "./ask.ts";
import { writeIdentity } from "./pidFile.ts";
import { freePort } from "./ports.ts";
import { identifyProcess, isRunning } from "./processIdentity.ts";
import { type ServerKind, serverFacts, serverKinds } from "./serverKinds.ts";
import { type RunningServer, startServer } from "./startServer.ts";
import { startServers } from "./startServers.ts";
import { waitFor } from "./waitFor.ts";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "connect-hub-start-"));
  // As root, PostgreSQL runs as an account that must get through.
  chmodSync(root, 0o711);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Asks Valkey, signed in as its URL says. */
function askValkey(server: RunningServer, command: string): Promise<string> {
  const { hostname, port, password } = new URL(server.url);
  const answered = (answer: string) => answer.split("\r\n").length > 2;
  return ask({ host: hostname, port: Number(port) }, `AUTH ${password}\r\n${command}\r\n`, answered);
}

describe.each(serverKinds)("%s", (kind) => {
  test("comes back on its port when it is killed, and finds its data at the next start", async () => {
    const dataDir = join(root, kind);
    const first = await startServer(kind, { dataDir });
    const { process, address, url } = first;
    const pid = process?.pid ?? 0;
    globalThis.process.kill(pid, "SIGKILL");
    const back = await waitFor(() => process?.pid !== pid && process?.state === "ready", { timeoutMs: 20_000 });
    expect(back).toBe(true);
    expect(process?.restarts).toBeGreaterThan(0);
    if (kind === "valkey") expect(await askValkey(first, "SET kept yes")).toContain("+OK");
    const made = kind === "postgres" ? statSync(join(first.dataFolder ?? "", "PG_VERSION")).ino : 0;
    await first.close();
    const second = await startServer(kind, { dataDir, port: Number(address.split(":")[1]) });
    expect(second).toMatchObject({ address, url, dataFolder: first.dataFolder });
    if (kind === "valkey") expect(await askValkey(second, "GET kept")).toContain("yes");
    if (kind === "postgres") expect(statSync(join(second.dataFolder ?? "", "PG_VERSION")).ino).toBe(made);
    await second.close();
  });

  test("that finds its port taken names the variable", async () => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    await expect(startServer(kind, { dataDir: join(root, kind), port })).rejects.toMatchObject({
      code: "PortInUse",
      message: expect.stringContaining(`${serverFacts[kind].portVariable}=`),
    });
    other.close();
  });
});

test("what a killed run left running is ended first", async () => {
  const dataDir = join(root, "valkey");
  const port = await freePort();
  const left = await startServer("valkey", { dataDir, port });
  // As a killed supervisor leaves it: the server runs, its pid file is there, and nobody minds it.
  const identity = identifyProcess(left.process?.pid ?? 0);
  if (identity === undefined) throw new Error("Valkey doesn't run.");
  const next = await startServer("valkey", { dataDir, port });
  expect(isRunning(identity)).toBe(false);
  await Promise.all([left.close(), next.close()]);
});

test("a pid file that names another process by chance ends nothing", async () => {
  const dataDir = join(root, "valkey");
  const bystander = spawn("sleep", ["60"]);
  writeIdentity(join(dataDir, "run/valkey.pid"), { pid: bystander.pid ?? 0, startedAt: "long ago" });
  const server = await startServer("valkey", { dataDir });
  expect(bystander.exitCode).toBeNull();
  expect(identifyProcess(bystander.pid ?? 0)).toBeDefined();
  await server.close();
  bystander.kill();
});

describe("a box's servers", () => {
  const free: Readonly<Record<ServerKind, number>> = { nats: 0, postgres: 0, valkey: 0 };

  test("start side by side, once for a data folder", async () => {
    const dataDir = join(root, "box");
    const servers = await startServers({ dataDir, ports: free });
    expect(servers.natsLogins?.edge.user).toBe("edge");
    expect([servers.nats, servers.postgres, servers.valkey].map(({ process }) => process?.state)).toEqual(
      Array.from({ length: 3 }, () => "ready"),
    );
    await expect(startServers({ dataDir, ports: free })).rejects.toMatchObject({ code: "AlreadyRunning" });
    await servers.close();
    for (const { process } of [servers.nats, servers.postgres, servers.valkey]) expect(process?.pid).toBeUndefined();
  });

  test("are all stopped when one can't be had", async () => {
    const dataDir = join(root, "half");
    const urls = { postgres: `postgresql://hub@127.0.0.1:${await freePort()}/hub` };
    await expect(startServers({ dataDir, ports: free, urls })).rejects.toMatchObject({ code: "ServerUnreachable" });
    const again = await startServers({ dataDir, ports: free });
    await again.close();
  });
});
