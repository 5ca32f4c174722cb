import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeCommit, hashCommit } from "@connect-hub/domain/kernel";
import { openLane } from "@connect-hub/jetstream";
import { identifyProcess } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { writeBoxState } from "../../apps/hub/box/boxState.ts";
import { writeConnections } from "../../apps/hub/box/connections.ts";
import { type FreshBox, freshBox } from "../support/freshBox.ts";
import { runHub } from "../support/runHub.ts";

let box: FreshBox;
const dataDir = mkdtempSync(join(tmpdir(), "connect-hub-growth-"));
const hourMs = 3_600_000;

beforeAll(async () => {
  const natsUrl = inject("natsUrl");
  box = await freshBox({ natsUrl, postgresUrl: inject("postgresUrl") });
  mkdirSync(join(dataDir, "run"));
  const { databaseUrl: url, env, prefix } = box;
  writeConnections(dataDir, {
    ...{ natsUrl, natsLogins: {}, prefix, roomLanes: 1, laneBytes: 1 },
    ...{ authUrl: url, chatUrl: url, contentUrl: url, vaultUrl: url, vaultRoot: String(env.HUB_VAULT_ROOT) },
    ...{ valkeyUrl: inject("valkeyUrl"), host: "127.0.0.1", port: 1 },
    content: { dir: dataDir, bytes: null, reserveBytes: null },
    placement: { url: "http://127.0.0.1:1", secret: "", key: join(dataDir, "ssh-key"), publicKey: "" },
  });
  const supervisor = identifyProcess(process.pid);
  if (supervisor === undefined) throw new Error("this process has no identity");
  const server = {
    source: "path",
    version: "1",
    address: "",
    dataFolder: dataDir,
    pid: 1,
    state: "ready",
    restarts: 0,
  } as const;
  const servers = [{ kind: "nats", ...server } as const, { kind: "postgres", ...server } as const];
  writeBoxState(dataDir, { phase: "ready", address: "x", dataFolder: dataDir, supervisor, servers, processes: [] });
});
afterAll(async () => {
  await box?.close();
  rmSync(dataDir, { recursive: true });
});

test("the doctor says how fast a lane of dated commits grows, when it is full, and what to do before", async () => {
  const lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  // Next to nothing two days ago, then 400,000 bytes an hour: 256 MiB are full in 26 to 27 days.
  const hoursAgo = [48, 47, 46, ...Array.from({ length: 24 }, (_, at) => 23.9 - at)];
  let prevHash = "";
  for (const [index, hours] of hoursAgo.entries()) {
    const at = new Date(Date.now() - hours * hourMs).toISOString();
    const head = { lane: lane.id, epoch: lane.epoch, n: index + 1, term: 1, prevHash, at };
    const bytes = encodeCommit({ ...head, writer: "x".repeat(hours > 24 ? 10 : 400_000) }, []);
    expect(await lane.append(bytes, index)).toBe("stored");
    prevHash = hashCommit(bytes);
  }
  const { said } = await runHub(dataDir, "doctor", "--json");
  const findings = JSON.parse(said).filter(({ check }: { check: string }) => check.startsWith("growth"));
  expect(findings).toMatchObject([
    { check: "growth of accounts.0", state: "ok", says: expect.stringContaining("too young to tell") },
    {
      check: "growth of rooms.0",
      state: "warn",
      says: expect.stringMatching(
        /^about 9\.\d MiB a day \(24 commits\), 9\.\d MiB of 256\.0 MiB reserved: its reserve is full in 26 days, on 20/,
      ),
      todo: expect.stringContaining("npm run hub -- archive rooms.0"),
    },
    { check: "growth of content.0", state: "ok" },
    { check: "growth of the tables of accounts", state: "ok" },
    { check: "growth of the tables of rooms", says: expect.stringMatching(/^about [\d.]+ KiB a day, [\d.]+ KiB now$/) },
    { check: "growth of the tables of content" },
    { check: "growth on the disk", says: expect.stringMatching(/free: it is (full in|not full for)/) },
  ]);
});
