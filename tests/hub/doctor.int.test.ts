import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool } from "@connect-hub/postgres";
import { makeSshKey } from "@connect-hub/runtime";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { exitCodes } from "../../apps/hub/exitCodes.ts";
import { type OwnSshd, startOwnSshd } from "../setup/ownSshd.ts";
import { type PlacementBox, placementBox, type TestPlacement } from "../support/placementBox.ts";
import { type HubRun, runHub } from "../support/runHub.ts";

let dataDir: string;
let vaultRoot: string;
let node: OwnSshd;
let box: PlacementBox;
let placement: TestPlacement;
let pool: PostgresPool;

beforeAll(async () => {
  const key = makeSshKey("test");
  node = await startOwnSshd(key);
  const servers = {
    natsUrl: inject("natsUrl"),
    postgresUrl: inject("postgresUrl"),
    valkeyUrl: inject("valkeyUrl"),
  };
  box = await placementBox(servers, { key, budgetBytes: 1024 ** 2 });
  placement = await box.startPlacement();
  await box.addNode("cellar", node.target);
  dataDir = box.dataDir(placement);
  vaultRoot = box.env.HUB_VAULT_ROOT ?? "";
  pool = openPool(box.box.databaseUrl, { name: "test" });
  // The tables have the node.
  await vi.waitFor(async () => expect((await placement.nodes()).length).toBe(1), { timeout: 10_000 });
});
afterAll(async () => {
  await pool?.end();
  await box?.close();
  await node?.close();
});

interface Finding {
  readonly check: string;
  readonly state: string;
  readonly says: string;
  readonly todo?: string;
}

function doctor(...args: string[]): Promise<HubRun> {
  return runHub(dataDir, "doctor", ...args);
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
    "ssh",
    "files",
    "placement",
    "node cellar",
    "growth of rooms.0",
    "growth of the tables of rooms",
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
  const lane = await openLane(box.box.link, { prefix: box.box.prefix, id: "rooms.0" });
  const manager = await jetstreamManager(box.box.link.nc);
  const stream = `${box.box.prefix}LOG_rooms_0_${lane.epoch.slice(0, 8)}`;
  await manager.streams.update(stream, { max_msgs: 5, discard: "old" as never });
  const { code, ills: found } = await ills();
  expect(code).toBe(exitCodes.failed);
  expect(found).toMatchObject([{ check: "lane rooms.0", says: expect.stringContaining('discard is "old"') }]);
  await manager.streams.update(stream, { max_msgs: -1, discard: "new" as never });
  expect((await ills()).ills).toEqual([]);
});

test("a halted projector, a folder that others may enter, a server that is away: each fails by itself", async () => {
  chmodSync(dataDir, 0o777);
  try {
    await vi.waitFor(
      async () => {
        // The projector, which works, takes it back with the next commit that it folds.
        await pool.query("update auth.checkpoints set halted = 'broken on purpose' where lane = 'accounts.0'");
        const { ills: found } = await ills();
        expect(found.map(({ check }) => check)).toEqual(["data folder", "tables of accounts.0"]);
        expect(found[1]?.says).toContain("broken on purpose");
      },
      { timeout: 20_000 },
    );
  } finally {
    chmodSync(dataDir, 0o700);
  }
  await pool.query("update auth.checkpoints set halted = null");
});

test("a box that never ran fails without looking for what isn't there", async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "connect-hub-doctor-empty-"));
  const { code, said } = await runHub(elsewhere, "doctor");
  expect(code).toBe(exitCodes.failed);
  expect(said).toContain("npm run hub -- up");
  rmSync(elsewhere, { recursive: true });
});

test("bytes that are nowhere fail", async () => {
  const hash = await box.upload(randomBytes(1_000));
  await vi.waitFor(async () => expect(await box.placesOf(hash)).toBeDefined(), { timeout: 10_000 });
  expect((await ills()).ills).toEqual([]);
  await box.store.drop(hash);
  expect((await ills()).ills).toMatchObject([{ check: "bytes", says: "1 of files, 1 of them nowhere" }]);
  await box.upload(randomBytes(1_000));
  await pool.query("delete from content.blobs where hash = $1", [hash]);
});

test("a node that shows another host key, half files of the dead, and placement away: each is told of", async () => {
  await pool.query("update content.nodes set host_key = $1", [`SHA256:${"A".repeat(43)}`]);
  writeFileSync(join(box.contentDir, "tmp", "1-0000000000000000.aa"), "half");
  const { code, said } = await doctor("--json");
  expect(code).toBe(exitCodes.failed);
  const findings: Finding[] = JSON.parse(said);
  expect(findings.find(({ check }) => check === "node cellar")).toMatchObject({ state: "fail" });
  expect(findings.find(({ check }) => check === "half files")).toMatchObject({ state: "warn" });
  await pool.query("update content.nodes set host_key = $1", [node.hostKey]);
  await placement.close();
  expect((await ills()).ills.map(({ check }) => check)).toEqual(["placement"]);
});
