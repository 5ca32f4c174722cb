import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Lane, MemoryTables, pause, type Vault } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, RoomTalk, seededRandom } from "@connect-hub/domain/testing";
import { openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool, pgFactSource, pgGenerations, pgRoomReads } from "@connect-hub/postgres";
import {
  byLane,
  firstDifference,
  foldLane,
  type Generations,
  type RebuildStep,
  rebuild,
  rebuildSteps,
} from "@connect-hub/projections";
import { appArgs } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { type FreshBox, freshBox } from "../../tests/support/freshBox.ts";
import { type RunningProjectors, readProjectorConfig, startProjectors } from "./index.ts";

let box: FreshBox;
let pool: PostgresPool;
let lane: Lane;
let vault: Vault;
let log: LogBuilder;
let generations: Generations;
let running: RunningProjectors | undefined;
let n = 0;
const talk = new RoomTalk(seededRandom(5));
const rooms = ["r0", "r1", "r2"];

beforeAll(async () => {
  box = await freshBox({ natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl") });
  pool = openPool(box.databaseUrl, { name: "test", max: 12, statementTimeoutMs: 30_000 });
  vault = await openVault({ db: pool, rootFile: String(box.env.HUB_VAULT_ROOT) });
  lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  log = new LogBuilder({ lane: lane.id, epoch: lane.epoch, model: roomModel, vault });
  generations = pgGenerations(pool, roomModel);
  for (const room of rooms) await append([talk.create(room, ["ann", "bob"])]);
  await chatter(100);
  running = await start();
});

afterEach(async () => {
  running ??= await start();
});

afterAll(async () => {
  await running?.close();
  await pool.end();
  await box.close();
});

function start(): Promise<RunningProjectors> {
  return startProjectors(readProjectorConfig({ ...box.env, HUB_LOG_LEVEL: "silent" }));
}

async function append(events: Parameters<LogBuilder["commit"]>[0][number]): Promise<void> {
  expect(await lane.append(await log.commit([events]), n)).toBe("stored");
  n += 1;
}

async function chatter(commits: number): Promise<void> {
  for (let count = 0; count < commits; count++) await append([talk.next(rooms[count % rooms.length] ?? "r0")]);
}

/** Runs `work` while somebody posts. */
async function underWrites<T>(work: () => Promise<T>): Promise<T> {
  let writing = true;
  const written = (async () => {
    while (writing) await chatter(1);
  })();
  try {
    return await work();
  } finally {
    writing = false;
    await written;
  }
}

interface How {
  readonly compare?: boolean;
  readonly swap?: boolean;
  step?(name: RebuildStep): void;
}

function rebuildNow({ compare = true, swap = true, step }: How = {}) {
  const signal = new AbortController().signal;
  return rebuild({ generations, model: roomModel, lanes: [lane], compare, swap, signal, ...(step && { step }) });
}

async function served(): Promise<number> {
  return (await generations.list()).find(({ state }) => state === "served")?.number ?? 0;
}

async function checkpointIn(generation: number) {
  return byLane(await generations.checkpoints(generation)).get("rooms.0");
}

/** Waits until all generations have the log, and holds the tables of each to its fold. */
async function settle(): Promise<void> {
  const fold = new MemoryTables(roomModel.tables);
  await foldLane(fold, { lane, model: roomModel, vault, to: n });
  for (const { number } of await generations.list()) {
    await vi.waitFor(async () => expect(await checkpointIn(number)).toMatchObject({ n, halted: null }), {
      timeout: 10_000,
    });
    const snapshot = await generations.snapshot(number);
    expect(await firstDifference(snapshot, fold, roomModel)).toBeUndefined();
    await snapshot.close();
  }
}

test("readers notice nothing of a rebuild, swaps and a drop, under writes; all generations are the fold of the log", async () => {
  await settle();
  await underWrites(async () => {
    let reading = true;
    let reads = 0;
    const seen = new Set<number>();
    const source = pgFactSource({ auth: pool, chat: pool, content: pool }, roomModel.tables);
    const roomReads = pgRoomReads(pool);
    const byFacts = async () => {
      let before = { n: 0, generation: 0 };
      while (reading) {
        const { checkpoint, rows } = await source.load("rooms.0", ["rooms/r0", "memberships/r0|ann", "messages/r0:2"]);
        expect(rows.get("rooms/r0")).not.toBeNull();
        expect(checkpoint.n).toBeGreaterThanOrEqual(before.n);
        before = checkpoint;
        seen.add(checkpoint.generation);
        reads += 1;
      }
    };
    const byQuery = async () => {
      while (reading) {
        const { events } = await roomReads.eventsBetween({ lane: "rooms.0", room: "r0", fromS: 1, toS: 5 });
        expect(events).toHaveLength(5);
        reads += 1;
      }
    };
    const failures: unknown[] = [];
    const readers = [byFacts(), byFacts(), byQuery(), byQuery(), byQuery()].map((reader) =>
      reader.catch((error: unknown) => failures.push(error)),
    );
    const first = await served();
    const rebuilt = await rebuildNow();
    expect(rebuilt).toMatchObject({ outcome: "swapped", comparison: { difference: null } });
    expect(await served()).toBe(rebuilt.generation);
    for (let swaps = 0; swaps < 6; swaps++) await generations.swap(swaps % 2 === 0 ? first : rebuilt.generation);
    expect(await served()).toBe(rebuilt.generation);
    await generations.giveUp(first);
    await generations.clean();
    reading = false;
    await Promise.all(readers);
    expect(failures).toEqual([]);
    expect([...seen].sort()).toEqual([first, rebuilt.generation]);
    expect(reads).toBeGreaterThan(100);
  });
  await settle();
});

test("a rebuild that dies after any of its steps is gone on with, and nothing is served that was not compared", async () => {
  const before = await served();
  for (const step of rebuildSteps) {
    const dying = rebuildNow({
      step: (name) => {
        if (name === step) throw new Error(`died: ${name}`);
      },
    });
    await expect(dying).rejects.toThrow(`died: ${step}`);
    const isSwapped = step === "rebuild.swapped" || step === "rebuild.cleaned";
    if (!isSwapped) expect(await served()).toBe(before);
  }
  expect(await served()).toBe(before + 2);
  await settle();
  const left = "select nspname as name from pg_namespace where nspname like 'chat\\_g%' order by 1";
  expect((await pool.query(left)).rows.map(({ name }) => name)).toEqual([`chat_g${before + 1}`, `chat_g${before + 2}`]);
});

test("what differs is named, and is not swapped", async () => {
  await pool.query("update chat.rooms set name = 'changed by hand' where id = 'r1'");
  const before = await served();
  const { outcome, generation, comparison } = await rebuildNow();
  expect({ outcome, served: await served() }).toEqual({ outcome: "differs", served: before });
  expect(comparison?.difference).toMatchObject({ table: "chat.rooms", key: "r1", served: { name: "changed by hand" } });
  await pool.query("delete from chat.rooms where id = 'r1'");
  expect((await rebuildNow()).comparison?.difference).toMatchObject({ key: "r1", served: null, rebuilt: { id: "r1" } });
  await generations.swap(generation);
  await generations.giveUp(before);
  await generations.clean();
  await settle();
});

test("tables that are behind, have halted or have parked subjects are not served", async () => {
  const { number } = await generations.make((await generations.list())[0]?.factsVersion ?? "");
  const schema = `chat_g${number}`;
  await generations.bound(number, new Map([["rooms.0", 7]]));
  await vi.waitFor(async () => expect((await checkpointIn(number))?.n).toBe(7), { timeout: 5_000 });
  await chatter(3);
  await expect(generations.swap(number)).rejects.toThrow("rooms.0 is at commit 7 there");
  expect((await checkpointIn(number))?.n).toBe(7);
  await generations.bound(number, null);
  await vi.waitFor(async () => expect((await checkpointIn(number))?.n).toBe(n), { timeout: 5_000 });
  await pool.query(`insert into ${schema}.parked values ('rooms.0', 'room', 'r0', 3, 'x', 'y')`);
  await expect(generations.swap(number)).rejects.toThrow("1 subject(s) are parked");
  await pool.query(`delete from ${schema}.parked`);
  await expect(generations.giveUp(await served())).rejects.toThrow("the one that is served");
  await expect(generations.make("v")).rejects.toThrow("is being built already");
  await generations.giveUp(number);
  await generations.clean();
});

function spawnProjector(): ChildProcess {
  const env = { ...process.env, ...box.env, HUB_LOG_LEVEL: "silent" };
  return spawn(process.execPath, appArgs(["projector"]), { env, stdio: "ignore" });
}

test("a frozen projector is replaced within seconds, and does nothing when it wakes up", async () => {
  await running?.close();
  running = undefined;
  const frozen = spawnProjector();
  const generation = await served();
  const holder = async () => (await checkpointIn(generation))?.projector;
  await vi.waitFor(async () => expect(await holder()).not.toBeNull(), { timeout: 15_000 });
  const name = await holder();
  running = await start();
  await chatter(5);
  await vi.waitFor(async () => expect((await checkpointIn(generation))?.n).toBe(n), { timeout: 5_000 });
  expect(running.projector("rooms.0", generation)?.state).toBe("standby");
  frozen.kill("SIGSTOP");
  const frozenAt = Date.now();
  await chatter(5);
  await vi.waitFor(async () => expect(await checkpointIn(generation)).toMatchObject({ n }), {
    timeout: 10_000,
    interval: 20,
  });
  expect(Date.now() - frozenAt).toBeLessThan(7_000);
  const other = await holder();
  expect(other).not.toBe(name);
  frozen.kill("SIGCONT");
  await underWrites(() => pause(500));
  expect(await holder()).toBe(other);
  await settle();
  const gone = once(frozen, "exit");
  frozen.kill("SIGKILL");
  await gone;
});
