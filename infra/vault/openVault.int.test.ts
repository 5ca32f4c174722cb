import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VaultUnavailable } from "@connect-hub/domain/kernel";
import { vaultFeatures } from "@connect-hub/domain/testing";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { makeTestDatabase, openTestPool, type TestDatabase } from "../../tests/setup/testDatabase.ts";
import { cachedKeyLifeMs, openVault } from "./openVault.ts";

let folder: string;
let database: TestDatabase;
let db: ReturnType<typeof openTestPool>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "vault-"));
  database = await makeTestDatabase(inject("postgresUrl"));
  db = openTestPool(database.url);
});
afterAll(async () => {
  await db.end();
  await database.drop();
  rmSync(folder, { recursive: true });
});

const rootFile = () => join(folder, "root.key");
const open = (now?: () => number) => openVault({ db, rootFile: rootFile(), ...(now && { now }) });
const empty = () => db.query("delete from vault.keys");

describe("the vault in Postgres", () => {
  vaultFeatures(async () => {
    // Two at once, as at a first start: one root key is made, and both have it.
    const [vault, other] = await Promise.all([open(), open()]);
    await empty();
    return { vault, other };
  });
});

test("a key that another process destroyed is used for the stated time at most", async () => {
  let nowMs = 0;
  const [vault, other] = [await open(() => nowMs), await open()];
  await vault.named(["a"]);
  const id = vault.cached("a")?.id ?? "";
  await other.destroy("a");
  nowMs = cachedKeyLifeMs - 1;
  expect(vault.cached("a")?.id).toBe(id);
  nowMs = cachedKeyLifeMs;
  expect(vault.cached("a")).toBeUndefined();
  expect((await vault.byId([id])).size).toBe(0);
  await vault.named(["a"]);
  expect(vault.cached("a")?.id).not.toBe(id);
});

test("memory is bounded", async () => {
  const vault = await openVault({ db, rootFile: rootFile(), maxCachedKeys: 10 });
  const names = Array.from({ length: 30 }, (_, index) => `many${index}`);
  await vault.named(names.slice(0, 20));
  await vault.named(names.slice(20));
  expect(names.filter((name) => vault.cached(name))).toEqual(names.slice(20));
});

test("keys lie in the database wrapped only", async () => {
  const vault = await open();
  await vault.named(["secret"]);
  const bytes = Buffer.from(vault.cached("secret")?.bytes ?? []);
  const { rows } = await db.query("select wrapped from vault.keys where name = 'secret'");
  expect(rows[0].wrapped.includes(bytes)).toBe(false);
});

test("a missing root key is not made anew, and another one is refused, while keys are there", async () => {
  await (await open()).named(["a"]);
  const elsewhere = join(folder, "elsewhere.key");
  await expect(openVault({ db, rootFile: elsewhere })).rejects.toThrow("put that file back");
  await empty();
  await openVault({ db, rootFile: elsewhere });
  await (await open()).named(["a"]);
  await expect(openVault({ db, rootFile: elsewhere })).rejects.toThrow("put the right file there");
});

test("an empty prefix destroys nothing", async () => {
  await expect((await open()).destroy("")).rejects.toThrow(TypeError);
});

test("a database that is away is VaultUnavailable, at the start and later", async () => {
  const away = openTestPool("postgresql://nobody@127.0.0.1:1/none");
  await expect(openVault({ db: away, rootFile: rootFile() })).rejects.toThrow(VaultUnavailable);
  await away.end();
  const cut = openTestPool(database.url);
  const vault = await openVault({ db: cut, rootFile: rootFile() });
  await vault.named(["kept"]);
  await cut.end();
  await vault.named(["kept"]);
  await expect(vault.named(["new"])).rejects.toThrow(VaultUnavailable);
  await expect(vault.byId(["00000000-0000-4000-8000-000000000000"])).rejects.toThrow(VaultUnavailable);
});
