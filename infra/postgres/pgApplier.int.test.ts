import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import {
  type Change,
  type Checkpoint,
  type ContextModel,
  FactsUnavailable,
  MemoryTables,
  type Row,
  type Table,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { changeApplierFeatures } from "@connect-hub/domain/testing";
import type { LaneId } from "@connect-hub/domain/values";
import { type Applier, foldChanges, type MarkChanges } from "@connect-hub/projections";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { makeTestDatabase, type TestDatabase } from "../../tests/setup/testDatabase.ts";
import { migrate } from "./migrate.ts";
import { openPool, type PostgresPool } from "./openPool.ts";
import { pgApplier } from "./pgApplier.ts";

const epoch = "e".repeat(32);
let database: TestDatabase;
let pool: PostgresPool;

beforeAll(async () => {
  database = await makeTestDatabase(inject("postgresUrl"));
  pool = openPool(database.url, { name: "test", byKeyOnly: true });
  await Promise.all([migrate(pool, "auth"), migrate(pool, "chat"), migrate(pool, "content"), migrate(pool, "auth")]);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const models = [accountModel, roomModel, contentModel];
const laneOf = (model: ContextModel): LaneId => `${model.context}.0`;

async function applyNow(applier: Applier, model: ContextModel, changes: readonly Change[]) {
  const from = await applier.checkpoint(laneOf(model), epoch);
  const to = { n: from.n + 1, hash: "f".repeat(64), epoch, factsVersion: "v" };
  return applier.apply({ lane: laneOf(model), from, to, tables: foldChanges(changes, model.tables) });
}

async function rowsOf(table: Table): Promise<Row[]> {
  const columns = Object.keys(table.columns).map((column) => `"${column}"`);
  const key = table.key.map((column) => `"${column}"`);
  const { rows } = await pool.query(`select ${columns} from ${table.schema}.${table.name} order by ${key}`);
  return rows;
}

async function clear(): Promise<void> {
  for (const { schema, name } of models.flatMap((model) => model.tables))
    await pool.query(`delete from ${schema}.${name}`);
}

describe("the tables in Postgres", () => {
  const apply = async (changes: readonly Change[]) => {
    const [first] = changes;
    const model = models.find(({ tables }) => tables.some((table) => table.name === first?.table));
    if (model !== undefined)
      expect(await applyNow(pgApplier(pool, model, { generation: 1, projector: "test" }), model, changes)).toBe(
        "applied",
      );
  };
  changeApplierFeatures(() => ({ apply, rows: rowsOf, clear }), 25);
});

describe("large batches", () => {
  test("thousands of new rows, updates and deletes are the same as one by one", async () => {
    await clear();
    const memory = new MemoryTables(roomModel.tables);
    const changes = Array.from({ length: 3_000 }, (_, index): Change[] => {
      const id = `r${index % 700}`;
      return [
        {
          op: "insert",
          table: "memberships",
          row: {
            room_id: id,
            user_id: `u${index % 900}`,
            data: {},
            role: "member",
            joined_s: index,
            joined_at: "2026-01-02T03:04:05.060Z",
          },
        },
        {
          op: "insert",
          table: "room_commands",
          row: {
            lane: "rooms.0",
            actor: "a",
            id: `${index}`,
            kind: "k",
            digest: "d\n\\",
            result: { a: "\\\t" },
            n: index,
          },
        },
        { op: "insert", table: "user_rooms", row: { user_id: id, lane: "rooms.0", version: 0 } },
        { op: "add", table: "user_rooms", key: [id, "rooms.0"], values: { version: 1 } },
        { op: "delete", table: "memberships", key: [id, `u${(index * 7) % 900}`] },
      ];
    }).flat();
    for (const half of [changes.slice(0, 7_000), changes.slice(7_000)]) {
      memory.apply(half);
      expect(await applyNow(pgApplier(pool, roomModel, { generation: 1, projector: "test" }), roomModel, half)).toBe(
        "applied",
      );
    }
    for (const table of roomModel.tables) expect(await rowsOf(table), table.name).toEqual(memory.rows(table.name));
  });
});

describe("the checkpoint", () => {
  const applier = () => pgApplier(pool, accountModel, { generation: 1, projector: "test" });
  const insert = (id: string): Change => ({ op: "insert", table: "emails", row: { id, user_id: "u" } });
  const batch = (from: Checkpoint, id: string) => ({
    lane: "accounts.7" as const,
    from,
    to: { n: from.n + 1, hash: id.repeat(64), epoch, factsVersion: "v" },
    tables: foldChanges([insert(id)], accountModel.tables),
  });

  test("a lane that was never seen stands at 0, in the epoch that was asked with", async () => {
    const { at, ...checkpoint } = await applier().checkpoint("accounts.7", epoch);
    expect(checkpoint).toEqual({
      lane: "accounts.7",
      n: 0,
      hash: "",
      epoch,
      generation: 1,
      factsVersion: "",
      halted: null,
      stopAt: null,
      projector: null,
    });
    expect(at).toMatch(/^\d{4}-.*\.\d{3}Z$/);
    expect((await applier().checkpoint("accounts.7", "0".repeat(32))).epoch).toBe(epoch);
  });

  test("another number, hash, epoch or generation is a conflict, and nothing is changed", async () => {
    await clear();
    const from = await applier().checkpoint("accounts.7", epoch);
    const others = [{ n: 5 }, { hash: "x" }, { epoch: "0".repeat(32) }, { generation: 9 }];
    for (const other of others) expect(await applier().apply(batch({ ...from, ...other }, "a"))).toBe("conflict");
    expect(await applier().checkpoint("accounts.7", epoch)).toEqual(from);
    expect((await pool.query("select id from auth.emails")).rows).toEqual([]);
    expect(await applier().apply(batch(from, "b"))).toBe("applied");
    expect(await applier().checkpoint("accounts.7", epoch)).toMatchObject({
      n: 1,
      hash: "b".repeat(64),
      factsVersion: "v",
    });
  });

  test("of several projectors that write the same batch exactly one does", async () => {
    await clear();
    const from = await applier().checkpoint("accounts.7", epoch);
    const outcomes = await Promise.all(["a", "b", "c", "d"].map((id) => applier().apply(batch(from, id))));
    expect(outcomes.filter((outcome) => outcome === "applied")).toHaveLength(1);
    expect((await pool.query("select id from auth.emails")).rows).toHaveLength(1);
  });

  test("a lane is one projector's until it lets go, is gone, or has been silent for 5 s; no batch goes beyond stop_at", async () => {
    await clear();
    const named = (projector: string) => pgApplier(pool, accountModel, { generation: 1, projector });
    const own = openPool(database.url, { name: "alive", max: 1 });
    const [alive, other, gone] = [
      pgApplier(own, accountModel, { generation: 1, projector: "alive" }),
      named("other"),
      named("gone"),
    ];
    const lane = "accounts.9" as const;
    const apply = async (applier: Applier, id: string) => {
      const from = await applier.checkpoint(lane, epoch);
      return applier.apply({ ...batch(from, id), lane });
    };
    const holder = async (applier: Applier) => (await applier.lease(lane, epoch)).projector;
    expect(await holder(gone)).toBe("gone");
    expect(await holder(alive)).toBe("alive");
    expect(await holder(other)).toBe("alive");
    expect(await apply(other, "a")).toBe("conflict");
    expect(await apply(alive, "b")).toBe("applied");
    await pool.query("update auth.checkpoints set stop_at = n where lane = $1", [lane]);
    expect(await apply(alive, "c")).toBe("conflict");
    await pool.query("update auth.checkpoints set stop_at = null, at = at - interval '6 s' where lane = $1", [lane]);
    expect(await apply(other, "d")).toBe("applied");
    expect(await apply(alive, "e")).toBe("conflict");
    await other.release(lane);
    expect(await holder(alive)).toBe("alive");
    await own.end();
  });

  test("events of a parked subject that are applied twice, as by a projector that was frozen meanwhile, count once", async () => {
    await clear();
    const mark = { kind: "account", id: "u", from: 1, type: "SessionStarted.v1", reason: "why", retry: true } as const;
    const parking = { ...batch(await applier().checkpoint("accounts.7", epoch), "p") };
    expect(await applier().apply({ ...parking, marks: { set: [mark], taken: [] } })).toBe("applied");
    const from = await applier().checkpoint("accounts.7", epoch);
    const retry = (id: string, marks: MarkChanges) =>
      applier().apply({ ...batch(from, id), to: from, marks: { before: [mark], ...marks } });
    const later = { ...mark, from: 3 };
    expect(await retry("q", { set: [later], taken: [] })).toBe("applied");
    expect(await retry("r", { set: [later], taken: [] })).toBe("conflict");
    expect(await retry("s", { before: [later], set: [], taken: [mark] })).toBe("applied");
    expect(await retry("t", { before: [later], set: [], taken: [mark] })).toBe("conflict");
    const { rows } = await pool.query("select id from auth.emails order by id");
    expect(rows.map(({ id }) => id)).toEqual(["p", "q", "s"]);
  });

  test("a halt is noted and ends with the next batch", async () => {
    await applier().checkpoint("accounts.7", epoch);
    await applier().noteHalt("accounts.7", "why");
    const from = await applier().checkpoint("accounts.7", epoch);
    expect(from.halted).toBe("why");
    await applier().apply(batch(from, "h"));
    expect((await applier().checkpoint("accounts.7", epoch)).halted).toBeNull();
  });
});

describe("bad days", () => {
  const insert = (id: string): Change => ({ op: "insert", table: "emails", row: { id, user_id: "u" } });

  test("connections that are cut at any moment leave each batch applied once or not at all", async () => {
    await clear();
    const own = openPool(database.url, { name: "to be cut", byKeyOnly: true, max: 2 });
    const applier = pgApplier(own, accountModel, { generation: 1, projector: "test" });
    const cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'to be cut'";
    let failures = 0;
    for (let n = 0; n < 60; n++) {
      const from = await vi.waitFor(() => applier.checkpoint("accounts.5", epoch));
      const tables = foldChanges([insert(`cut${from.n}`)], accountModel.tables);
      const to = { n: from.n + 1, hash: "f".repeat(64), epoch, factsVersion: "v" };
      const applying = applier.apply({ lane: "accounts.5", from, to, tables });
      const [applied] = await Promise.allSettled([applying, n % 3 === 0 ? pool.query(cut) : undefined]);
      if (applied.status === "fulfilled") continue;
      expect(applied.reason).toBeInstanceOf(FactsUnavailable);
      failures += 1;
    }
    const { n } = await pgApplier(pool, accountModel, { generation: 1, projector: "test" }).checkpoint(
      "accounts.5",
      epoch,
    );
    const { rows } = await pool.query("select id from auth.emails");
    expect(rows.map(({ id }) => id).sort()).toEqual(Array.from({ length: n }, (_, index) => `cut${index}`).sort());
    expect(failures).toBeGreaterThan(0);
    await own.end();
  });

  test("a batch that has to wait too long for another transaction is FactsUnavailable, and can be tried again", async () => {
    await clear();
    const own = openPool(database.url, { name: "test", byKeyOnly: true, statementTimeoutMs: 100 });
    const applier = pgApplier(own, accountModel, { generation: 1, projector: "test" });
    const from = await applier.checkpoint("accounts.6", epoch);
    const to = { n: 1, hash: "f".repeat(64), epoch, factsVersion: "v" };
    const batch = { lane: "accounts.6" as const, from, to, tables: foldChanges([insert("late")], accountModel.tables) };
    const other = await pool.connect();
    await other.query("begin; select 1 from auth.checkpoints where lane = 'accounts.6' for update");
    await expect(applier.apply(batch)).rejects.toThrow(FactsUnavailable);
    await other.query("rollback");
    other.release();
    expect(await applier.apply(batch)).toBe("applied");
    await own.end();
  });

  test("what Postgres refuses for good is no FactsUnavailable", async () => {
    const applier = pgApplier(pool, accountModel, { generation: 1, projector: "test" });
    const from = await applier.checkpoint("accounts.8", epoch);
    const to = { n: 1, hash: "f".repeat(64), epoch, factsVersion: "v" };
    const wrong: Change = { op: "set", table: "users", key: ["a"], values: { sessions_from: "no number" } };
    const tables = foldChanges([wrong], accountModel.tables);
    const refused = applier.apply({ lane: "accounts.8", from, to, tables });
    await expect(refused).rejects.toThrow("invalid input syntax");
    await expect(refused).rejects.not.toBeInstanceOf(FactsUnavailable);
  });
});
