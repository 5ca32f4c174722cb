import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashCommit, type Lane } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, RoomTalk, seededRandom } from "@connect-hub/domain/testing";
import { openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool } from "@connect-hub/postgres";
import { type RunningProjectors, readProjectorConfig, startProjectors } from "@connect-hub/projector";
import { openVault } from "@connect-hub/vault";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { writeConnections } from "../../apps/hub/box/connections.ts";
import { runCli } from "../../apps/hub/cli.ts";
import { exitCodes } from "../../apps/hub/exitCodes.ts";
import { type FreshBox, freshBox } from "../support/freshBox.ts";

const commits = 120;
let dataDir: string;
let box: FreshBox;
let pool: PostgresPool;
let lane: Lane;
let projectors: RunningProjectors;

beforeAll(async () => {
  box = await freshBox({ natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl") });
  pool = openPool(box.databaseUrl, { name: "test" });
  dataDir = mkdtempSync(join(tmpdir(), "connect-hub-projections-"));
  mkdirSync(join(dataDir, "run"));
  const urls = {
    authUrl: box.databaseUrl,
    chatUrl: box.databaseUrl,
    contentUrl: box.databaseUrl,
    vaultUrl: box.databaseUrl,
  };
  const unused = { valkeyUrl: "redis://127.0.0.1:1", host: "127.0.0.1", port: 1, laneBytes: 1 };
  const vaultRoot = String(box.env.HUB_VAULT_ROOT);
  const log = { natsUrl: inject("natsUrl"), natsLogins: {}, prefix: box.prefix, roomLanes: 1 };
  const content = { dir: join(dataDir, "content"), bytes: null, reserveBytes: null };
  const placement = { url: "http://127.0.0.1:1", secret: "", key: "", publicKey: "" };
  writeConnections(dataDir, { ...log, ...urls, vaultRoot, ...unused, content, placement });
  lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  await fill(vaultRoot);
  projectors = await startProjectors(readProjectorConfig({ ...box.env, HUB_LOG_LEVEL: "silent" }));
});
afterAll(async () => {
  await projectors.close();
  await pool.end();
  await box.close();
  rmSync(dataDir, { recursive: true });
});
afterEach(() => void vi.restoreAllMocks());

async function fill(rootFile: string): Promise<void> {
  const vault = await openVault({ db: pool, rootFile });
  const log = new LogBuilder({ lane: lane.id, epoch: lane.epoch, model: roomModel, vault });
  const talk = new RoomTalk(seededRandom(1));
  for (let n = 0; n < commits; n++) {
    await lane.append(await log.commit([[n === 0 ? talk.create("r", ["ann", "bob"]) : talk.next("r")]]), n);
  }
}

/** Runs `hub`, and gives what it said and its exit code. */
async function hub(...args: string[]) {
  const said: string[] = [];
  const complaints: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void said.push(text));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => complaints.push(String(text)) > 0);
  const code = await runCli(args, { HUB_DATA: dataDir });
  vi.restoreAllMocks();
  return { code, said: said.join("\n"), complaints: complaints.join("") };
}

async function hubJson(...args: string[]) {
  const { code, said } = await hub(...args, "--json");
  return { code, json: JSON.parse(said) };
}

test("wait-caught-up ends when the tables have the log, and lag and list show it", async () => {
  const waited = await hubJson("wait-caught-up", "--timeout", "20");
  expect(waited).toMatchObject({ code: exitCodes.done, json: { outcome: "caughtUp" } });
  expect((await hubJson("projections", "lag")).json).toMatchObject([
    { lane: "accounts.0", n: 0, head: 0, behind: 0 },
    {
      projection: "rooms",
      lane: "rooms.0",
      n: commits,
      head: commits,
      behind: 0,
      secondsLeft: 0,
      generation: 1,
      halted: null,
    },
    { lane: "content.0", n: 0, head: 0, behind: 0 },
  ]);
  const { json } = await hubJson("projections", "list");
  expect(json).toMatchObject([
    { lane: "accounts.0" },
    { lane: "rooms.0", n: commits, epoch: lane.epoch, halted: null },
    { lane: "content.0" },
  ]);
  expect((await hub("projections", "list")).said).toContain("working");
});

test("the digest is the fold of the log's, and stays the same through a rebuild", async () => {
  const { json: before } = await hubJson("digest");
  expect(before.positions).toMatchObject([
    { lane: "accounts.0", n: 0 },
    { lane: "rooms.0", n: commits },
    { lane: "content.0", n: 0 },
  ]);
  expect(before.tables.find(({ table }: { table: string }) => table === "chat.room_events").rows).toBe(commits);
  expect((await hubJson("digest", "--fold")).json).toEqual({ ...before, fold: { same: true } });
  const rebuilt = await hubJson("projections", "rebuild", "rooms");
  const tables = roomModel.tables.length;
  expect(rebuilt).toMatchObject({
    code: exitCodes.done,
    json: { rebuilt: [{ projection: "rooms", outcome: "swapped", generation: 2, commits }] },
  });
  expect(rebuilt.json.rebuilt[0].comparison).toMatchObject({ difference: null });
  expect(rebuilt.json.rebuilt[0].comparison.tables).toHaveLength(tables);
  const { json: list } = await hubJson("projections", "list");
  expect(list[1]).toMatchObject({ generation: 2, n: commits, tables: "served" });
  expect(list[3]).toMatchObject({ lane: "rooms.0", generation: 1, n: commits, tables: "kept" });
  expect((await hubJson("digest")).json).toEqual(before);
  const { said } = await hub("projections", "rebuild");
  expect(said).toContain(`${commits} commits were replayed`);
  expect(said).toContain("Generation 3 of the rooms is served now");
  expect(await schemas()).toEqual(["auth_g1", "auth_g2", "chat_g2", "chat_g3", "content_g1", "content_g2"]);
});

async function schemas(): Promise<string[]> {
  const { rows } = await pool.query("select nspname as name from pg_namespace where nspname like '%\\_g%' order by 1");
  return rows.map(({ name }) => name);
}

test("one can go back to what was served, and forth, and then drop it", async () => {
  const served = async () => (await hubJson("projections", "list")).json[1].generation;
  expect((await hub("projections", "rollback", "rooms")).code).toBe(exitCodes.done);
  expect(await served()).toBe(2);
  expect((await hubJson("projections", "rollback", "rooms")).json).toEqual([{ projection: "rooms", generation: 3 }]);
  expect(await served()).toBe(3);
  await hub("projections", "drop");
  expect(await schemas()).toEqual(["auth_g2", "chat_g3", "content_g2"]);
  const { code, complaints } = await hub("projections", "rollback");
  expect(code).toBe(exitCodes.failed);
  expect(complaints).toContain("No former tables are kept");
  expect((await hub("projections", "pause", "rooms")).complaints).toContain(
    "Begin by: npm run hub -- projections rebuild",
  );
});

test("new tables can be left beside the served ones, wait, go on, and be given up", async () => {
  expect((await hub("projections", "rebuild", "rooms", "--no-swap")).said).toContain(
    "npm run hub -- projections swap rooms",
  );
  await hub("projections", "pause", "rooms");
  const { json } = await hubJson("projections", "progress");
  expect(json).toMatchObject([{ state: "building", n: commits, head: commits, behind: 0, stopAt: commits }]);
  expect((await hub("projections", "lag")).said).toContain(`paused at ${commits}`);
  await hub("projections", "resume");
  expect((await hubJson("projections", "progress", "rooms")).json[0].stopAt).toBeNull();
  await hub("projections", "cancel", "rooms");
  expect(await schemas()).toEqual(["auth_g2", "chat_g3", "content_g2"]);
});

test("a projection that is none is a usage error that names those there are", async () => {
  const { code, complaints } = await hub("projections", "rebuild", "rooms", "search");
  expect(code).toBe(exitCodes.badSettingOrUsage);
  expect(complaints).toContain('There is no projection "search", only accounts, rooms, content.');
});

test("tables that are not the fold of the log fail, with the first row that differs", async () => {
  await pool.query(`update chat.messages set status = 'deleted' where id = 'r:1'`);
  const { code, said } = await hub("digest", "--fold");
  expect(code).toBe(exitCodes.failed);
  expect(said).toContain("NOT the fold of the log. First difference: chat.messages, key r:1");
  const { json } = await hubJson("digest", "--fold");
  expect(json.fold.difference).toMatchObject({ inTables: { status: "deleted" }, inFold: { status: "sent" } });
  await pool.query("delete from chat.memberships where user_id = 'ann'");
  expect((await hub("digest", "--fold")).said).toContain("chat.memberships, key r|ann");
  const rebuilt = await hub("projections", "rebuild", "rooms");
  expect(rebuilt.code).toBe(exitCodes.failed);
  expect(rebuilt.said).toContain(
    "NOT what is served, and was not swapped. First difference: chat.memberships, key r|ann",
  );
  expect((await hub("projections", "swap", "rooms")).code).toBe(exitCodes.done);
  expect((await hub("digest", "--fold")).code).toBe(exitCodes.done);
});

test("a halted projector is shown with its reason, and nobody waits for it", async () => {
  await pool.query("update chat.checkpoints set hash = repeat('0', 64) where lane = 'rooms.0'");
  await vi.waitFor(async () => expect((await hub("projections", "lag")).code).toBe(exitCodes.failed), {
    timeout: 10_000,
  });
  expect((await hub("projections", "list")).said).toContain("HALTED");
  await pool.query("update chat.checkpoints set n = n - 1 where lane = 'rooms.0'");
  const waited = await hub("wait-caught-up");
  expect(waited.code).toBe(exitCodes.failed);
  expect(waited.complaints).toContain(`rooms.0 is at ${commits - 1} of ${commits}, HALTED: `);
  expect((await hub("projections", "rebuild", "rooms", "--timeout", "20")).code).toBe(exitCodes.done);
  // With all that the log has, though no served tables said how much that is.
  expect((await hubJson("digest", "--fold")).json.fold).toEqual({ same: true });
  expect(
    (await hubJson("projections", "lag")).json.find(({ lane }: { lane: string }) => lane === "rooms.0"),
  ).toMatchObject({
    n: commits,
    halted: null,
  });
});

test("new tables that have not what is on the log are not served, though those that are served have halted", async () => {
  expect((await hub("projections", "rebuild", "rooms", "--no-swap")).code).toBe(exitCodes.done);
  await hub("projections", "pause", "rooms");
  const { rows } = await pool.query("select number from chat.generations where state = 'building'");
  const generation = rows[0]?.number;
  const { bytes = new Uint8Array() } = (await lane.readAt(commits - 1)) ?? {};
  const text = `update chat_g${generation}.checkpoints set n = n - 1, stop_at = n - 1, hash = $1 where lane = 'rooms.0'`;
  await pool.query(text, [hashCommit(bytes)]);
  await pool.query("update chat.checkpoints set hash = repeat('0', 64) where lane = 'rooms.0'");
  await vi.waitFor(async () => expect((await hub("projections", "lag")).code).toBe(exitCodes.failed), {
    timeout: 10_000,
  });
  const { code, complaints } = await hub("projections", "swap", "rooms");
  expect(code).toBe(exitCodes.failed);
  expect(complaints).toContain(`rooms.0 is at commit ${commits - 1} there, and at ${commits} on the log`);
  await hub("projections", "cancel", "rooms");
  expect((await hub("projections", "rebuild", "rooms", "--timeout", "20")).code).toBe(exitCodes.done);
});

test("without a projector a wait ends in time and says what is missing", async () => {
  await projectors.close();
  await pool.query("update chat.checkpoints set n = 0, hash = '' where lane = 'rooms.0'");
  const { code, complaints } = await hub("wait-caught-up", "--timeout", "0.1");
  expect(code).toBe(exitCodes.failed);
  expect(complaints).toContain(`did not catch up in time: rooms.0 is at 0 of ${commits}`);
});
