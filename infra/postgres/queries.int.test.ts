import { accountModel } from "@connect-hub/domain/account";
import type { Change, ContextModel, Row } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import {
  type AuthTables,
  accountCheckpoints,
  type ChatTables,
  foldChanges,
  historyPage,
  peopleByIds,
  roomCheckpoints,
  roomEventsAfter,
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
import { postgresTypes } from "./valueText.ts";

let database: TestDatabase;
let pool: PostgresPool;
let auth: Kysely<AuthTables>;
let chat: Kysely<ChatTables>;
const epoch = "e".repeat(32);
const at = "2026-11-23T06:21:34.050Z";

async function fill(model: ContextModel, inserts: readonly [table: string, row: Row][]): Promise<void> {
  const lane = `${model.context}.0` as const;
  const applier = pgApplier(pool, model);
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
const event = (id: string, s: number): [string, Row] => {
  return ["room_events", { room_id: id, s, type: "messagePosted", data: { text: `${s}` }, at, by: "ann" }];
};
const person = (id: string, name: string | null, status: string): [string, Row] => {
  return ["users", { id, email: null, pass_hash: null, name, status, sessions_from: 1, created_at: at }];
};

beforeAll(async () => {
  database = await makeTestDatabase(inject("postgresUrl"));
  pool = openPool(database.url, { name: "test" });
  [auth, chat] = [kyselyOver<AuthTables>(pool), kyselyOver<ChatTables>(pool)];
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
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const checkpoint = { n: 9, hash: "f".repeat(64), epoch, generation: 0, factsVersion: "v" };
const numbers = (events: readonly { s: number }[]) => events.map(({ s }) => s);

describe("the schemas", () => {
  test.each([accountModel, roomModel])(
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
        where c.constraint_type = 'PRIMARY KEY' and c.table_schema = ${table.schema} and c.table_name = ${table.name}
        order by k.ordinal_position`.execute(chat);
        expect(
          key.rows.map(({ name }) => name),
          table.name,
        ).toEqual(table.key);
      }
    },
  );

  test("have no table that the domain does not name, but for checkpoints and migrations", async () => {
    const { rows } = await sql<{ name: string }>`
      select table_name as name from information_schema.tables where table_schema in ('auth', 'chat')
      and table_name not like 'kysely%' and table_name <> 'checkpoints'`.execute(chat);
    const named = [...accountModel.tables, ...roomModel.tables].map(({ name }) => name);
    expect(rows.map(({ name }) => name).sort()).toEqual(named.sort());
  });
});

describe("history", () => {
  const page = (window: { before?: number; after?: number; limit: number; user?: string }) =>
    historyPage(chat, { lane: "rooms.0", room: "r1", user: "ann", ...window });

  test("the last events come in order, with the right to them and the checkpoint", async () => {
    const last = await page({ limit: 2 });
    expect(last).toEqual({
      checkpoint,
      membership: { role: "owner", joinedS: 1 },
      events: [4, 5].map((s) => ({ s, type: "messagePosted", data: { text: `${s}` }, at, by: "ann" })),
    });
  });

  test("before, after and between", async () => {
    expect(numbers((await page({ before: 4, limit: 2 })).events)).toEqual([2, 3]);
    expect(numbers((await page({ after: 1, limit: 2 })).events)).toEqual([2, 3]);
    expect(numbers((await page({ after: 1, before: 3, limit: 9 })).events)).toEqual([2]);
    expect((await page({ after: 5, limit: 9 })).events).toEqual([]);
  });

  test("who is no member gets no events", async () => {
    expect(await page({ limit: 9, user: "eve" })).toEqual({ checkpoint, membership: null, events: [] });
  });

  test("events after a number come with the checkpoint", async () => {
    const after = await roomEventsAfter(chat, { lane: "rooms.0", room: "r1", afterS: 3, limit: 9 });
    expect([after.checkpoint, numbers(after.events)]).toEqual([checkpoint, [4, 5]]);
    expect((await roomEventsAfter(chat, { lane: "rooms.3", room: "r1", afterS: 0, limit: 1 })).checkpoint.n).toBe(0);
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
  expect(checkpoints).toEqual([{ lane: "rooms.0", n: 9, epoch, generation: 0 }]);
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
