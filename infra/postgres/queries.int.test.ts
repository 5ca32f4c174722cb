import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import type { Change, ContextModel, Row } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import type { LaneId } from "@connect-hub/domain/values";
import {
  type AuthTables,
  accountCheckpoints,
  activeNodes,
  blobsByHash,
  type ChatTables,
  type ContentTables,
  contentCheckpoints,
  dueClaims,
  fileById,
  foldChanges,
  peopleByIds,
  roomCheckpoints,
  roomMembers,
  roomsOfUser,
} from "@connect-hub/projections";
import { type Kysely, sql } from "kysely";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { makeTestDatabase, type TestDatabase } from "../../tests/setup/testDatabase.ts";
import { kyselyOver } from "./kyselyOver.ts";
import { migrate } from "./migrate.ts";
import { openPool, type PostgresPool } from "./openPool.ts";
import { pgApplier } from "./pgApplier.ts";
import { pgRoomReads } from "./pgRoomReads.ts";
import { postgresTypes } from "./valueText.ts";

let database: TestDatabase;
let pool: PostgresPool;
let auth: Kysely<AuthTables>;
let chat: Kysely<ChatTables>;
let content: Kysely<ContentTables>;
const epoch = "e".repeat(32);
const at = "2026-11-23T06:21:34.050Z";

async function fill(model: ContextModel, inserts: readonly [table: string, row: Row][]): Promise<void> {
  const lane = `${model.context}.0` as const;
  const applier = pgApplier(pool, model, { generation: 1, projector: "test" });
  const changes = inserts.map(([table, row]): Change => ({ op: "insert", table, row }));
  const from = await applier.checkpoint(lane, epoch);
  const to = { n: 9, hash: "f".repeat(64), epoch, factsVersion: "v" };
  await applier.apply({ lane, from, to, tables: foldChanges(changes, model.tables) });
}

const room = (id: string): [string, Row] => {
  const row = { id, lane: "rooms.0", type: "group", name: `room ${id}`, data: {}, s: 5, m: 3, members: 2, owners: 1 };
  return ["rooms", { ...row, created_by: "ann", created_at: at }];
};
const member = (id: string, user: string, role: string): [string, Row] => {
  return [
    "memberships",
    { room_id: id, user_id: user, data: { is_muted: role === "owner" }, role, joined_s: 1, joined_at: at },
  ];
};
/** With all that ends a line, a value or a text where these are put together. */
const textOf = (s: number) => `${s}\t"\\\n\u2028é`;
const event = (id: string, s: number): [string, Row] => {
  return ["room_events", { room_id: id, s, type: "messagePosted", data: { text: textOf(s) }, at, by: "ann" }];
};
const person = (id: string, name: string | null, status: string): [string, Row] => {
  return ["users", { id, email: null, pass_hash: null, name, status, sessions_from: 1, created_at: at }];
};

const file = (id: string, state: string, uploadedAt: string): [string, Row] => {
  const names = { filename_visible: "a.txt", filename_internal: "h1" };
  const rest = { size: 7, hash: "h1", type: "text/plain", state, source: null, posted_s: null };
  return ["files", { id, owner: "ann", room_id: "r1", ...names, uploaded_at: uploadedAt, ...rest }];
};
const replica = (on: string): [string, Row] => {
  return ["replicas", { hash: "h1", node: on, name: `name on ${on}`, size: 7, state: "verified", verified_at: at }];
};
const node = (id: string, addedAt: string, state: string): [string, Row] => {
  const reached = { host: "10.0.0.7", port: 22, username: "hub", path: "/data", host_key: "SHA256:x" };
  return ["nodes", { id, name: `node ${id}`, ...reached, state, added_at: addedAt }];
};

beforeAll(async () => {
  database = await makeTestDatabase(inject("postgresUrl"));
  pool = openPool(database.url, { name: "test" });
  [auth, chat] = [kyselyOver<AuthTables>(pool), kyselyOver<ChatTables>(pool)];
  content = kyselyOver<ContentTables>(pool);
  await Promise.all([migrate(pool, "auth"), migrate(pool, "chat"), migrate(pool, "content")]);
  await fill(accountModel, [person("ann", "Ann", "active"), person("bob", null, "closed")]);
  await fill(roomModel, [
    ...["r1", "r2"].map(room),
    member("r1", "ann", "owner"),
    member("r1", "bob", "member"),
    member("r2", "ann", "member"),
    ...[1, 2, 3, 4, 5].map((s) => event("r1", s)),
    ["user_rooms", { user_id: "ann", lane: "rooms.0", version: 2 }],
  ]);
  await fill(contentModel, [
    file("f1", "claimed", "2026-11-23T06:00:00.000Z"),
    file("f2", "claimed", "2026-11-23T05:00:00.000Z"),
    file("f3", "posted", "2026-11-23T04:00:00.000Z"),
    file("f4", "claimed", "2026-11-23T07:00:00.000Z"),
    ["blobs", { hash: "h1", size: 7, chunks: "c", refs: 2, replicas: 2, local: false, at }],
    ["blobs", { hash: "h2", size: 0, chunks: "", refs: 1, replicas: 0, local: true, at }],
    ...["n2", "n1"].map(replica),
    node("n2", "2026-11-23T05:00:00.000Z", "active"),
    node("n1", "2026-11-23T06:00:00.000Z", "active"),
    node("n3", "2026-11-23T04:00:00.000Z", "gone"),
  ]);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const checkpoint = { n: 9, hash: "f".repeat(64), epoch, generation: 1, factsVersion: "v" };

describe("the schemas", () => {
  test.each([accountModel, roomModel, contentModel])(
    "have the tables, columns, types and keys that the domain of $context names",
    async ({ tables }) => {
      for (const table of tables) {
        const columns = await sql<{ name: string; type: string }>`
        select column_name as name, udt_name as type from information_schema.columns
        where table_schema = ${table.schema} and table_name = ${table.name}`.execute(chat);
        const found = Object.fromEntries(columns.rows.map(({ name, type }) => [name, type]));
        expect(found, table.name).toEqual(
          Object.fromEntries(Object.entries(table.columns).map(([name, type]) => [name, postgresTypes[type]])),
        );
        const key = await sql<{ name: string }>`
        select k.column_name as name from information_schema.table_constraints c
        join information_schema.key_column_usage k using (constraint_schema, constraint_name)
        where c.constraint_type = 'PRIMARY KEY' and c.table_schema = ${`${table.schema}_g1`} and c.table_name = ${table.name}
        order by k.ordinal_position`.execute(chat);
        expect(
          key.rows.map(({ name }) => name),
          table.name,
        ).toEqual(table.key);
      }
    },
  );

  test("show no table that the domain does not name, but for checkpoints and parked subjects", async () => {
    const { rows } = await sql<{ name: string }>`
      select table_name as name from information_schema.views where table_schema in ('auth', 'chat', 'content')
      and table_name not in ('checkpoints', 'parked')`.execute(chat);
    const named = [accountModel, roomModel, contentModel].flatMap(({ tables }) => tables).map(({ name }) => name);
    expect(rows.map(({ name }) => name).sort()).toEqual(named.sort());
  });
});

describe("history", () => {
  test("events between two numbers come as clients get them, with the checkpoint", async () => {
    const reads = pgRoomReads(pool);
    const between = (fromS: number, toS: number, lane: LaneId = "rooms.0") =>
      reads.eventsBetween({ lane, room: "r1", fromS, toS });
    const { events, ...rest } = await between(2, 4);
    expect(rest).toEqual({ checkpoint });
    expect(events.map(({ s, text }) => [s, JSON.parse(text)])).toEqual(
      [2, 3, 4].map((s) => [s, { r: "r1", s, t: "messagePosted", d: { text: textOf(s) }, by: "ann", at }]),
    );
    expect(await between(6, 9)).toEqual({ checkpoint, events: [] });
    expect((await between(1, 1, "rooms.3")).checkpoint.n).toBe(0);
  });

  test("the rooms that a person is in come by id", async () => {
    const { roomIdsOf } = pgRoomReads(pool);
    expect(Object.fromEntries(await roomIdsOf(["ann", "eve"]))).toEqual({ ann: ["r1", "r2"] });
    expect((await roomIdsOf(["eve"])).size).toBe(0);
  });
});

test("the rooms of a person come with their versions and the checkpoints", async () => {
  const { rooms, versions, checkpoints } = await roomsOfUser(chat, "ann");
  const r1 = { id: "r1", lane: "rooms.0", type: "group", name: "room r1", s: 5, m: 3, members: 2 };
  expect(rooms[0]).toEqual({ ...r1, role: "owner", joinedS: 1, joinedAt: at, isMuted: true });
  expect(rooms.map(({ id, isMuted }) => [id, isMuted])).toEqual([
    ["r1", true],
    ["r2", false],
  ]);
  expect(versions).toEqual([{ lane: "rooms.0", version: 2 }]);
  expect(checkpoints).toEqual([{ lane: "rooms.0", n: 9, epoch, generation: 1 }]);
  expect((await roomsOfUser(chat, "eve")).rooms).toEqual([]);
});

test("the members of a room come in pages", async () => {
  const first = await roomMembers(chat, { lane: "rooms.0", room: "r1", limit: 1 });
  expect(first).toEqual({ checkpoint, members: [{ user: "ann", role: "owner", joinedS: 1, joinedAt: at }] });
  const rest = await roomMembers(chat, { lane: "rooms.0", room: "r1", after: "ann", limit: 9 });
  expect(rest.members.map(({ user }) => user)).toEqual(["bob"]);
});

test("people come by their ids, without those that nobody has", async () => {
  const people = await peopleByIds(auth, ["bob", "ann", "ann", "eve"]);
  expect(people.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
    { id: "ann", name: "Ann", status: "active" },
    { id: "bob", name: null, status: "closed" },
  ]);
  expect(await peopleByIds(auth, [])).toEqual([]);
});

test("the checkpoints of both databases", async () => {
  expect(await accountCheckpoints(auth)).toMatchObject([{ lane: "accounts.0", ...checkpoint, halted: null }]);
  expect(await roomCheckpoints(chat)).toMatchObject([{ lane: "rooms.0", ...checkpoint, halted: null }]);
});

describe("files", () => {
  test("come by their id, and blobs by their hash with all that have them", async () => {
    expect(await fileById(content, "f1")).toMatchObject({ id: "f1", owner: "ann", size: 7, state: "claimed" });
    expect(await fileById(content, "f9")).toBeUndefined();
    const blobs = await blobsByHash(content, ["h1", "h2", "h1", "h9"]);
    const replicas = ["n1", "n2"].map((on) => ({ node: on, name: `name on ${on}` }));
    expect(blobs.sort((a, b) => (a.hash < b.hash ? -1 : 1))).toEqual([
      { hash: "h1", size: 7, chunks: "c", refs: 2, local: false, replicas },
      { hash: "h2", size: 0, chunks: "", refs: 1, local: true, replicas: [] },
    ]);
    expect(await blobsByHash(content, [])).toEqual([]);
  });

  test("that wait too long for their message come oldest first, by the index of claims", async () => {
    const claim = (id: string, hour: string) => {
      return { file: id, room: "r1", claimedAt: `2026-11-23T${hour}:00:00.000Z` };
    };
    const before = "2026-11-23T06:30:00.000Z";
    expect(await dueClaims(content, { before, limit: 9 })).toEqual([claim("f2", "05"), claim("f1", "06")]);
    expect(await dueClaims(content, { before, limit: 1 })).toEqual([claim("f2", "05")]);
    expect(await dueClaims(content, { before, limit: 9, after: claim("f2", "05") })).toEqual([claim("f1", "06")]);
    const byKey = openPool(database.url, { name: "test", byKeyOnly: true, max: 1 });
    const { rows } = await byKey.query(
      "explain select id from content.files where state = 'claimed' and uploaded_at < $1 and (uploaded_at, id) > ($2, $3) order by uploaded_at, id limit $4",
      [before, "-infinity", "", 9],
    );
    await byKey.end();
    expect(JSON.stringify(rows)).toContain("using claims");
  });

  test("go to the nodes that are active, in the order of their coming", async () => {
    expect((await activeNodes(content)).map(({ id, user }) => [id, user])).toEqual([
      ["n2", "hub"],
      ["n1", "hub"],
    ]);
    expect(await contentCheckpoints(content)).toMatchObject([{ lane: "content.0", ...checkpoint }]);
  });
});
