import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accountModel } from "@connect-hub/domain/account";
import { type ContextModel, type DomainEvent, type Lane, MemoryTables } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, RoomTalk, seededRandom } from "@connect-hub/domain/testing";
import { connectNats, type NatsLink, openLane, provisionLanes } from "@connect-hub/jetstream";
import { emptyTables, migrate, openPool, openSnapshot, type PostgresPool } from "@connect-hub/postgres";
import { digestOfDigests, digestTables, firstDifference, foldLane } from "@connect-hub/projections";
import { appArgs } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { makeTestDatabase, type TestDatabase } from "../../tests/setup/testDatabase.ts";
import type { ProjectorConfig } from "./config.ts";
import { startProjectors } from "./index.ts";

const prefix = `t${randomBytes(4).toString("hex")}`;
const people = Array.from({ length: 5 }, (_, index) => `person-${index}`);
let folder: string;
let database: TestDatabase;
let pool: PostgresPool;
let link: NatsLink;
let config: ProjectorConfig;
let rooms: TestLane;
let accounts: TestLane;

/** A lane with what appends to it. */
interface TestLane {
  readonly lane: Lane;
  readonly model: ContextModel;
  append(events: readonly DomainEvent[]): Promise<void>;
  /** Waits until the tables are at the end of the log, and holds them to a fold of it; their digest. */
  settle(): Promise<string>;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "projector-"));
  database = await makeTestDatabase(inject("postgresUrl"));
  pool = openPool(database.url, { name: "test", statementTimeoutMs: 30_000 });
  link = await connectNats({ url: inject("natsUrl"), name: "test" });
  await Promise.all([migrate(pool, "auth"), migrate(pool, "chat"), migrate(pool, "content")]);
  await provisionLanes(link, { prefix, lanes: ["accounts.0", "rooms.0"], replicas: 1, maxBytes: 100_000_000 });
  const urls = {
    HUB_AUTH_URL: database.url,
    HUB_CHAT_URL: database.url,
    HUB_CONTENT_URL: database.url,
    HUB_VAULT_URL: database.url,
  };
  const rest = { HUB_VAULT_ROOT: join(folder, "root"), HUB_LOG_LEVEL: "silent" as const };
  config = { HUB_NATS_URL: inject("natsUrl"), HUB_PREFIX: prefix, ...urls, ...rest };
  [rooms, accounts] = await Promise.all([testLane(roomModel), testLane(accountModel)]);
});

afterAll(async () => {
  await link.close();
  await pool.end();
  await database.drop();
  rmSync(folder, { recursive: true });
});

async function testLane(model: ContextModel): Promise<TestLane> {
  const lane = await openLane(link, { prefix, id: `${model.context}.0` });
  const vault = await openVault({ db: pool, rootFile: config.HUB_VAULT_ROOT });
  const log = new LogBuilder({ lane: lane.id, epoch: lane.epoch, model, vault });
  let n = 0;
  return {
    lane,
    model,
    async append(events) {
      expect(await lane.append(await log.commit(events.map((event) => [event])), n)).toBe("stored");
      n += 1;
    },
    async settle() {
      await vi.waitFor(async () => expect(await checkpointOf(lane)).toMatchObject({ n, halted: null }), {
        timeout: 20_000,
        interval: 20,
      });
      const fold = new MemoryTables(model.tables);
      await foldLane(fold, { lane, model, vault, to: n });
      const snapshot = await openSnapshot(pool, model);
      expect(await firstDifference(snapshot, fold, model)).toBeUndefined();
      const digests = await digestTables(snapshot, model);
      await snapshot.close();
      expect(Object.fromEntries(digests.map(({ table, digest }) => [table.split(".")[1], digest]))).toEqual(
        fold.digests(),
      );
      return digestOfDigests(digests);
    },
  };
}

async function checkpointOf({
  id,
}: Lane): Promise<{ n: number; generation: number; halted: string | null } | undefined> {
  const schema = id.startsWith("rooms") ? "chat" : "auth";
  return (await pool.query(`select n, generation, halted from ${schema}.checkpoints where lane = $1`, [id])).rows[0];
}

const talk = new RoomTalk(seededRandom(7));
const random = seededRandom(8);
let made = 0;

async function chatter(commits: number): Promise<void> {
  for (let count = 0; count < commits; count++) {
    const isNew = made === 0 || random() < 0.02;
    const room = `room-${isNew ? made++ : Math.floor(random() * made)}`;
    await rooms.append(isNew ? [talk.create(room, people)] : [talk.next(room), talk.next(room)]);
  }
}

function registered(id: string): DomainEvent {
  const personal = { email: `${id}@example.org`, emailHash: `hash of ${id}`, name: id, passHash: "p" };
  return { type: "AccountRegistered.v1", subject: { kind: "account", id }, by: id, data: { personal } };
}

test("the tables of all lanes come to the fold of the log and stay there; emptied ones are filled again", async () => {
  await chatter(200);
  await accounts.append(people.map(registered));
  const running = await startProjectors(config);
  await Promise.all([rooms.settle(), accounts.settle()]);
  await chatter(20);
  const before = await rooms.settle();
  await emptyTables(pool, roomModel);
  expect(await checkpointOf(rooms.lane)).toMatchObject({ generation: 2 });
  expect(await rooms.settle()).toBe(before);
  await running.close();
});

test("a row that somebody changed is named", async () => {
  const vault = await openVault({ db: pool, rootFile: config.HUB_VAULT_ROOT });
  const fold = new MemoryTables(accountModel.tables);
  await foldLane(fold, { lane: accounts.lane, model: accountModel, vault, to: 1 });
  await pool.query("update auth.users set name = 'somebody else' where id = 'person-3'");
  const snapshot = await openSnapshot(pool, accountModel);
  const found = await firstDifference(snapshot, fold, accountModel);
  await snapshot.close();
  expect(found).toMatchObject({
    table: "auth.users",
    key: "person-3",
    inTables: { name: "somebody else" },
    inFold: { name: "person-3" },
  });
  await pool.query("update auth.users set name = 'person-3' where id = 'person-3'");
});

test("a log that was re-created halts it, and says so in the checkpoint", async () => {
  const before = await checkpointOf(accounts.lane);
  await pool.query("update auth.checkpoints set epoch = repeat('0', 32) where lane = 'accounts.0'");
  const running = await startProjectors(config);
  await vi.waitFor(async () => expect((await checkpointOf(accounts.lane))?.halted).toContain("re-created"), {
    timeout: 10_000,
  });
  expect(running.projector("accounts.0", 1)?.state).toBe("halted");
  await pool.query("update auth.checkpoints set epoch = $1 where lane = 'accounts.0'", [accounts.lane.epoch]);
  await vi.waitFor(async () => expect(await checkpointOf(accounts.lane)).toEqual(before), { timeout: 10_000 });
  await running.close();
});

function spawnProjector(): ChildProcess {
  const env = Object.fromEntries(Object.entries(config).map(([name, value]) => [name, String(value)]));
  return spawn(process.execPath, appArgs(["projector"]), { env: { ...process.env, ...env }, stdio: "ignore" });
}

test("two projectors that are killed again and again leave every row there exactly once", {
  timeout: 120_000,
}, async () => {
  let appending = true;
  const appended = (async () => {
    while (appending) await chatter(5);
  })();
  const children = [spawnProjector(), spawnProjector()];
  for (let kill = 0; kill < 6; kill++) {
    const from = (await checkpointOf(rooms.lane))?.n ?? 0;
    const enough = from + 3 + Math.floor(random() * 40);
    await vi.waitFor(async () => expect((await checkpointOf(rooms.lane))?.n).toBeGreaterThan(enough), {
      timeout: 20_000,
      interval: 5,
    });
    const victim = children[kill % 2];
    if (victim === undefined) throw new Error("there is no projector to kill");
    const gone = once(victim, "exit");
    victim.kill("SIGKILL");
    await gone;
    children[kill % 2] = spawnProjector();
  }
  appending = false;
  await appended;
  await rooms.settle();
  const gone = Promise.all(children.map((child) => once(child, "exit")));
  for (const child of children) child.kill("SIGTERM");
  expect((await gone).map(([code]) => code)).toEqual([0, 0]);
});
