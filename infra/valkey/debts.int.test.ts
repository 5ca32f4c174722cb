import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { connectValkey, type Valkey } from "./index.ts";

let valkey: Valkey;
let other: Valkey;
beforeAll(async () => {
  const open = () => connectValkey(inject("valkeyUrl"), { onError: () => {} });
  [valkey, other] = [await open(), await open()];
});
afterAll(() => Promise.all([valkey?.close(), other?.close()]));

test("what is added is owed, by name and key, to whoever asks, and is paid off by time", async () => {
  const name = randomUUID();
  expect(await valkey.debts(name).add(new Map([["ada", 5_000]]))).toEqual(new Map([["ada", 5_000]]));
  const both = new Map([
    ["ada", 2_000],
    ["bob", 3],
  ]);
  const owed = await other.debts(name).add(both);
  expect(owed.get("ada")).toBeGreaterThan(6_000);
  expect(owed.get("ada")).toBeLessThanOrEqual(7_000);
  expect(owed.get("bob")).toBe(3);
  const ask = async () => (await valkey.debts(name).add(new Map([["ada", 0]]))).get("ada");
  await expect.poll(ask).toBeLessThan(owed.get("ada") ?? 0);
  expect(await valkey.debts(randomUUID()).add(new Map([["ada", 1]]))).toEqual(new Map([["ada", 1]]));
});

test("many keys at once each get their own", async () => {
  const many = new Map(Array.from({ length: 2_500 }, (_, at) => [`k${at}`, at]));
  const owed = await valkey.debts(randomUUID()).add(many);
  expect([...owed.keys()]).toEqual([...many.keys()]);
  expect([owed.get("k7"), owed.get("k2499")]).toEqual([7, 2_499]);
});

test("nothing is told while the server is away", async () => {
  const closed = await connectValkey(inject("valkeyUrl"), { onError: () => {} });
  await closed.close();
  await expect(closed.debts("x").add(new Map([["ada", 1]]))).rejects.toThrow();
});
