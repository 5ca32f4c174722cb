import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool } from "@connect-hub/postgres";
import { identifyProcess } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { writeBoxState } from "../../apps/hub/box/boxState.ts";
import { writeConnections } from "../../apps/hub/box/connections.ts";
import { runCli } from "../../apps/hub/cli.ts";
import { exitCodes } from "../../apps/hub/exitCodes.ts";
import { type FreshBox, freshBox } from "../support/freshBox.ts";

let dataDir: string;
let vaultRoot: string;
let box: FreshBox;
let pool: PostgresPool;

beforeAll(async () => {
  box = await freshBox({ natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl") });
  pool = openPool(box.databaseUrl, { name: "test" });
  dataDir = mkdtempSync(join(tmpdir(), "connect-hub-doctor-"));
  for (const name of ["run", "secrets"]) mkdirSync(join(dataDir, name), { mode: 0o700 });
  vaultRoot = join(dataDir, "secrets/vault-root");
  const vault = await openVault({ db: pool, rootFile: vaultRoot });
  await vault.named(["a"]);
  const url = box.databaseUrl;
  const log = { natsUrl: inject("natsUrl"), natsLogins: {}, prefix: box.prefix, roomLanes: 1, laneBytes: 1 };
  const rest = { valkeyUrl: inject("valkeyUrl"), host: "127.0.0.1", port: 1, vaultRoot };
  const content = { dir: join(dataDir, "content"), bytes: null, reserveBytes: null };
  const placement = { url: "http://127.0.0.1:1", secret: "", key: "", publicKey: "" };
  const urls = { authUrl: url, chatUrl: url, contentUrl: url, vaultUrl: url };
  writeConnections(dataDir, { ...log, ...urls, ...rest, content, placement });
  const supervisor = identifyProcess(process.pid);
  if (supervisor === undefined) throw new Error("this process has no identity");
  const state = { phase: "ready", address: "http://127.0.0.1:1", dataFolder: dataDir } as const;
  writeBoxState(dataDir, { ...state, supervisor, servers: [], processes: [] });
});
afterAll(async () => {
  await pool.end();
  await box.close();
  rmSync(dataDir, { recursive: true });
});
afterEach(() => void vi.restoreAllMocks());

interface Finding {
  readonly check: string;
  readonly state: string;
  readonly says: string;
  readonly todo?: string;
}

async function doctor(...args: string[]): Promise<{ code: number; said: string }> {
  const said: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void said.push(text));
  const code = await runCli(["--data", dataDir, "doctor", ...args], {});
  vi.restoreAllMocks();
  return { code, said: said.join("\n") };
}

/** What is not well. */
async function ills(): Promise<{ code: number; ills: Finding[] }> {
  const { code, said } = await doctor("--json");
  return { code, ills: JSON.parse(said).filter(({ state }: Finding) => state === "fail") };
}

test("a sound box has all checks in order, in words and for programs", async () => {
  const { code, said } = await doctor("--json");
  const findings: Finding[] = JSON.parse(said);
  expect(findings.filter(({ state }) => state === "fail")).toEqual([]);
  expect(code).toBe(exitCodes.done);
  const checks = findings.map(({ check }) => check);
  for (const check of [
    "Node",
    "uWebSockets.js",
    "ssh",
    "data folder",
    "disk",
    "nats",
    "postgres",
    "valkey",
    "vault",
    "lane rooms.0",
  ])
    expect(checks).toContain(check);
  expect((await doctor()).said).toMatch(/All is well\.|0 failed/);
});

test("a root key that others may read fails, with the command that puts it right", async () => {
  chmodSync(vaultRoot, 0o644);
  const { code, ills: found } = await ills();
  expect(code).toBe(exitCodes.failed);
  expect(found).toContainEqual(expect.objectContaining({ check: "vault root key", todo: `chmod 600 ${vaultRoot}` }));
  chmodSync(vaultRoot, 0o600);
});

test("another root key doesn't open the vault", async () => {
  const right = readFileSync(vaultRoot);
  writeFileSync(vaultRoot, `${"0".repeat(64)}\n`);
  expect((await ills()).ills).toMatchObject([{ check: "vault", says: expect.stringContaining("put the right file") }]);
  writeFileSync(vaultRoot, right);
});

test("a stream that somebody changed is named with the field", async () => {
  const lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  const manager = await jetstreamManager(box.link.nc);
  const stream = `${box.prefix}LOG_rooms_0_${lane.epoch.slice(0, 8)}`;
  await manager.streams.update(stream, { max_msgs: 5, discard: "old" as never });
  const { code, ills: found } = await ills();
  expect(code).toBe(exitCodes.failed);
  expect(found).toMatchObject([{ check: "lane rooms.0", says: expect.stringContaining('discard is "old"') }]);
  await manager.streams.update(stream, { max_msgs: -1, discard: "new" as never });
  expect((await ills()).ills).toEqual([]);
});

test("a halted projector, a folder that others may enter, a server that is away: each fails by itself", async () => {
  const lane = await openLane(box.link, { prefix: box.prefix, id: "accounts.0" });
  await pool.query(
    `insert into auth.checkpoints (lane, n, hash, epoch, generation, facts_version, halted, at)
     values ('accounts.0', 0, '', $1, 0, '', 'broken on purpose', now())`,
    [lane.epoch],
  );
  chmodSync(dataDir, 0o777);
  const { ills: found } = await ills();
  expect(found.map(({ check }) => check)).toEqual(["data folder", "tables of accounts.0"]);
  expect(found[1]?.says).toContain("broken on purpose");
  chmodSync(dataDir, 0o700);
  await pool.query("delete from auth.checkpoints");
});

test("a box that never ran fails without looking for what isn't there", async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "connect-hub-doctor-empty-"));
  const said: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void said.push(text));
  expect(await runCli(["--data", elsewhere, "doctor"], {})).toBe(exitCodes.failed);
  expect(said.join("\n")).toContain("npm run hub -- up");
  rmSync(elsewhere, { recursive: true });
});
