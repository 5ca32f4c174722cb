import { accountModel } from "@connect-hub/domain/account";
import { type Change, type FactRef, FactsUnavailable, factRef, type Row, refOfRow } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { foldChanges } from "@connect-hub/projections";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { makeTestDatabase, type TestDatabase } from "../../tests/setup/testDatabase.ts";
import { migrate } from "./migrate.ts";
import { openPool, type PostgresPool } from "./openPool.ts";
import { pgApplier } from "./pgApplier.ts";
import { pgFactSource } from "./pgFactSource.ts";

const epoch = "e".repeat(32);
const tables = [...accountModel.tables, ...roomModel.tables];
let auth: TestDatabase;
let chat: TestDatabase;
let pools: { auth: PostgresPool; chat: PostgresPool; content: PostgresPool };

beforeAll(async () => {
  [auth, chat] = await Promise.all([makeTestDatabase(inject("postgresUrl")), makeTestDatabase(inject("postgresUrl"))]);
  const content = openPool(chat.url, { name: "test", byKeyOnly: true });
  pools = {
    content,
    auth: openPool(auth.url, { name: "test", byKeyOnly: true }),
    chat: openPool(chat.url, { name: "test", byKeyOnly: true }),
  };
  await Promise.all([migrate(pools.auth, "auth"), migrate(pools.chat, "chat")]);
});

afterAll(async () => {
  await Promise.all([pools.auth.end(), pools.chat.end(), pools.content.end()]);
  await Promise.all([auth.drop(), chat.drop()]);
});

async function applyToRooms(changes: readonly Change[]): Promise<void> {
  const applier = pgApplier(pools.chat, roomModel, { generation: 1, projector: "test" });
  const from = await applier.checkpoint("rooms.0", epoch);
  const to = { n: from.n + 1, hash: "f".repeat(64), epoch, factsVersion: "v" };
  const batch = { lane: "rooms.0" as const, from, to, tables: foldChanges(changes, roomModel.tables) };
  expect(await applier.apply(batch)).toBe("applied");
}

const room: Row = {
  id: "r",
  lane: "rooms.0",
  type: "group",
  name: 'a "b" {c,d}\\\n\té😀',
  data: { roles: [], deep: { list: [1, null, "x"] } },
  s: 2 ** 53 - 1,
  m: 0,
  members: 1,
  owners: 1,
  created_by: "u",
  created_at: "2026-11-23T06:21:34.200Z",
};
const membership: Row = {
  room_id: "r",
  user_id: "u",
  data: null,
  role: "owner",
  joined_s: 1,
  joined_at: "1999-12-31T23:59:59.999Z",
};
const command: Row = { lane: "rooms.0", actor: "u", id: "c", kind: "k", digest: "d", result: [false], n: 1 };

test("a lane that no projector has seen stands at 0 and has no rows", async () => {
  const { checkpoint, rows } = await pgFactSource(pools, tables).load("accounts.0", ["users/a"]);
  expect(checkpoint).toEqual({ n: 0, hash: "", epoch: "", generation: 0, factsVersion: "" });
  expect([...rows]).toEqual([["users/a", null]]);
});

test("rows of several tables come with the checkpoint, absent ones as null", async () => {
  const inserts = Object.entries({ rooms: room, memberships: membership, room_commands: command });
  await applyToRooms(inserts.map(([table, row]) => ({ op: "insert", table, row })));
  const there = new Map(
    inserts.map(([table, row]) => {
      const found = tables.find(({ name }) => name === table);
      return [found ? refOfRow(found, row) : "none/none", row] as const;
    }),
  );
  const absent: FactRef[] = [
    "rooms/other",
    "memberships/r|other",
    "memberships/other|u",
    "messages/r:1",
    "user_rooms/u|rooms.0",
  ];
  const loaded = await pgFactSource(pools, tables).load("rooms.0", [...absent, ...there.keys(), "rooms/r"]);
  expect(loaded.checkpoint).toEqual({ n: 1, hash: "f".repeat(64), epoch, generation: 1, factsVersion: "v" });
  expect(loaded.rows).toEqual(new Map([...absent.map((ref) => [ref, null] as const), ...there]));
});

test("a reference to a table of another context is a bug", async () => {
  await expect(pgFactSource(pools, tables).load("rooms.0", ["users/a"])).rejects.toThrow("users");
});

test("rows and checkpoint are of one snapshot, whatever is being written", async () => {
  const source = pgFactSource(pools, tables);
  const refs = ["a", "b"].map((user) => factRef("user_rooms", user, "rooms.0"));
  const inserts = ["a", "b"].map(
    (user): Change => ({ op: "insert", table: "user_rooms", row: { user_id: user, lane: "rooms.0", version: 0 } }),
  );
  const adds = ["a", "b"].map(
    (user): Change => ({ op: "add", table: "user_rooms", key: [user, "rooms.0"], values: { version: 1 } }),
  );
  await applyToRooms(inserts);
  const start = (await source.load("rooms.0", [])).checkpoint.n;
  let writing = true;
  const writes = (async () => {
    for (let count = 0; count < 100; count++) await applyToRooms(adds);
    writing = false;
  })();
  let loads = 0;
  while (writing) {
    const { checkpoint, rows } = await source.load("rooms.0", refs);
    const versions = refs.map((ref) => rows.get(ref)?.version);
    expect(versions).toEqual([checkpoint.n - start, checkpoint.n - start]);
    loads++;
  }
  await writes;
  expect(loads).toBeGreaterThan(5);
});

test("a database that is away is FactsUnavailable, and so are connections cut in the middle", async () => {
  const away = openPool("postgresql://nobody@127.0.0.1:1/none", { name: "test" });
  await expect(
    pgFactSource({ auth: away, chat: away, content: away }, tables).load("rooms.0", ["rooms/r"]),
  ).rejects.toThrow(FactsUnavailable);
  await away.end();
  const source = pgFactSource(pools, tables);
  const other = openPool(chat.url, { name: "cutter", max: 1 });
  const cut = () =>
    other.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'test'",
    );
  for (let round = 0; round < 10; round++) {
    const loads = Array.from({ length: 8 }, () => source.load("rooms.0", ["rooms/r"]));
    const [, ...settled] = await Promise.allSettled([cut(), ...loads]);
    for (const one of settled) if (one.status === "rejected") expect(one.reason).toBeInstanceOf(FactsUnavailable);
  }
  await other.end();
  // A connection that was cut while it was idle is met once more; each time it is `FactsUnavailable`, and then it is gone.
  const loaded = async () => {
    const answer = await source.load("rooms.0", ["rooms/r"]).catch((error: unknown) => error);
    if (answer instanceof FactsUnavailable) return undefined;
    return (answer as Awaited<ReturnType<typeof source.load>>).rows.get("rooms/r");
  };
  await expect.poll(loaded).toEqual(room);
});
