import { accountModel } from "@connect-hub/domain/account";
import { factsVersionOf, isOfLane } from "@connect-hub/domain/kernel";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { makeTestDatabase, type TestDatabase } from "../../tests/setup/testDatabase.ts";
import { migrate } from "./migrate.ts";
import { openPool, type PostgresPool } from "./openPool.ts";
import { pgGenerations } from "./pgGenerations.ts";

let database: TestDatabase;
let pool: PostgresPool;

beforeAll(async () => {
  database = await makeTestDatabase(inject("postgresUrl"));
  pool = openPool(database.url, { name: "test" });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const served = async () => (await pgGenerations(pool, accountModel).list()).map(({ number, state }) => [number, state]);

test("tables of before there were generations go, and the new ones count as filled by no version", async () => {
  await pool.query("create schema auth; create table auth.users (id text primary key, shoe_size int)");
  await pool.query("insert into auth.users values ('ann', 43); create table auth.kysely_migration (name text)");
  await migrate(pool, "auth");
  expect((await pool.query("select id, email from auth.users")).rows).toEqual([]);
  expect(await pgGenerations(pool, accountModel).list()).toMatchObject([{ number: 1, factsVersion: "" }]);
});

test("a schema that is not there is made with one served generation of this version, and once", async () => {
  await pool.query("drop schema auth cascade; drop schema auth_g1 cascade");
  await Promise.all([migrate(pool, "auth"), migrate(pool, "auth"), migrate(pool, "auth")]);
  expect(await served()).toEqual([[1, "served"]]);
  const [first] = await pgGenerations(pool, accountModel).list();
  expect(first).toMatchObject({ factsVersion: factsVersionOf(accountModel), swappedAt: null });
});

test("a table that another version had differently is shown as it is there, whichever is served", async () => {
  const generations = pgGenerations(pool, accountModel);
  const { number } = await generations.make("another version");
  await pool.query(`alter table auth_g${number}.users add shoe_size int; drop table auth_g${number}.user_settings`);
  await generations.swap(number);
  expect((await pool.query("select id, shoe_size from auth.users")).rows).toEqual([]);
  await expect(pool.query("select 1 from auth.user_settings")).rejects.toThrow("does not exist");
  await generations.swap(1);
  await expect(pool.query("select shoe_size from auth.users")).rejects.toThrow("does not exist");
  expect((await pool.query("select data from auth.user_settings")).rows).toEqual([]);
  expect(await served()).toEqual([
    [1, "served"],
    [number, "kept"],
  ]);
});

test("tables that are filled are not vacuumed for what was inserted, those that are served are", async () => {
  const settingsOf = async (generation: number) => {
    const text =
      "select reloptions from pg_class where relnamespace = $1::regnamespace and relname in ('users', 'parked')";
    return (await pool.query(text, [`auth_g${generation}`])).rows.map(({ reloptions }) => reloptions);
  };
  const generations = pgGenerations(pool, accountModel);
  const { number } = await generations.make("another version");
  const off = ["autovacuum_vacuum_insert_threshold=-1", "autovacuum_analyze_threshold=2147483647"];
  expect(await settingsOf(number)).toEqual([off, off]);
  await generations.swap(number, { evenIfBehind: true });
  expect(await settingsOf(number)).toEqual([null, null]);
  await generations.swap(1, { evenIfBehind: true });
  expect(await settingsOf(1)).toEqual([null, null]);
});

test("tables behind the served ones are not served, though an archive or a restore has begun another epoch", async () => {
  const archived = "1".repeat(32);
  const present = "2".repeat(32);
  const beforeRestore = "3".repeat(32);
  // Commits up to 300 are of the epoch that was closed.
  const lane = { epoch: present, past: [{ epoch: archived, last: 300 }] };
  const generations = pgGenerations(pool, accountModel, {
    has: async (checkpoint) => isOfLane(lane, checkpoint),
    head: async () => 0,
  });
  const kept = (await generations.list()).find(({ state }) => state === "kept")?.number ?? 0;
  await generations.giveUp(kept);
  const coming = (await generations.make("v")).number;
  const stand = (generation: number, n: number, epoch: string, stopAt: number | null = null) =>
    pool.query(
      `insert into auth_g${generation}.checkpoints (lane, n, hash, epoch, generation, facts_version, stop_at)
        values ('accounts.0', $1, '', $2, $3, '', $4)
        on conflict (lane) do update set n = excluded.n, epoch = excluded.epoch, stop_at = excluded.stop_at`,
      [n, epoch, generation, stopAt],
    );
  const swapOver = async (from: [n: number, epoch: string], to: [n: number, epoch: string]) => {
    await stand(1, ...from);
    // Bound where they stand, so that nobody waits for them.
    await stand(coming, ...to, to[0]);
    await generations.swap(coming);
    await generations.swap(1, { evenIfBehind: true });
  };
  const late = "accounts.0 is at commit 100 there, and at 500";
  await expect(swapOver([500, present], [100, archived])).rejects.toThrow(late);
  await expect(swapOver([500, present], [100, present])).rejects.toThrow(late);
  // The same place, under either name of its epoch; tables of a log that was restored over.
  await swapOver([300, present], [300, archived]);
  await swapOver([300, archived], [300, present]);
  await swapOver([500, beforeRestore], [100, present]);
});
