import type { ServiceState, StateEntry } from "@connect-hub/domain/services";
import { expect, test } from "vitest";
import { golden } from "../../domain/testing/golden.ts";
import { Leases } from "./leases.ts";
import { Marks } from "./parking.ts";
import { partitionOf } from "./partition.ts";

/** What a service keeps, in memory. */
function memoryState(): ServiceState & { readonly entries: Map<string, StateEntry> } {
  const entries = new Map<string, StateEntry>();
  return {
    entries,
    list: async (prefix) => [...entries.values()].filter(({ key }) => key.startsWith(`${prefix}.`)),
    async put(key, value, revision) {
      if ((entries.get(key)?.revision ?? 0) !== revision) return undefined;
      entries.set(key, { key, value, revision: revision + 1 });
      return revision + 1;
    },
    drop: async (key) => void entries.delete(key),
  };
}

const nowhere = (): Promise<never> => Promise.reject(new Error("nobody asked for heads"));

test("what a durable keeps is what docs/format.md says", async () => {
  const state = memoryState();
  const leases = new Leases(state, { durable: "mails", leaseMs: 5_000 });
  const begun = new Map([["rooms.0", ["01234567", 42]]] as const);
  await leases.plan(2, { begin: async () => begun, lanes: begun.keys(), heads: nowhere });
  await leases.write(1, 0, { holder: "0123456789ab", positions: begun });
  const subject = { kind: "room", id: "0192f0c4-8e00-7000-8000-000000000001" } as const;
  await new Marks(state, "mails").put(1, {
    subject,
    lane: "rooms.0",
    event: { id: "rooms.0:01234567:40:0", type: "MessagePosted.v1", n: 40, index: 0 },
    attempts: 5,
    reason: "no such address",
    parkedAt: "2026-01-01T00:00:00.000Z",
    after: ["01234567", 39],
  });
  const lines = [...state.entries.values()].map(({ key, value }) => `${key} ${value}`);
  expect(lines.join("\n")).toBe(golden("service state"));
  expect(String(partitionOf(subject, 16))).toBe(golden("partition of 16"));
});

test("a lease moves on only by who holds it, and is stale only when nobody renewed it for long", async () => {
  const state = memoryState();
  const [one, two] = [0, 0].map(() => new Leases(state, { durable: "d", leaseMs: 30 })) as [Leases, Leases];
  const positions = new Map();
  const revision = (await one.write(0, 0, { holder: one.id, positions })) ?? 0;
  expect(await two.write(0, 0, { holder: two.id, positions })).toBeUndefined();
  expect((await two.look()).leases.get(0)).toMatchObject({ holder: one.id, isStale: false });
  expect((await two.look()).live).toEqual([two.id]);
  await one.look();
  expect((await two.look()).live).toEqual([one.id, two.id].sort());
  const endsAt = performance.now() + 31;
  while (performance.now() < endsAt) await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await two.look()).leases.get(0)?.isStale).toBe(true);
  const taken = (await two.write(0, revision, { holder: two.id, positions })) ?? 0;
  expect(taken).toBeGreaterThan(revision);
  expect(await one.write(0, revision, { holder: one.id, positions })).toBeUndefined();
});

test("a durable that begins to read another lane begins there where that is, whichever instance is first; one from the start at the start", async () => {
  const state = memoryState();
  const plan = (durable: string, begun: object, more: object, lanes = ["rooms.0", "accounts.0"]) =>
    new Leases(state, { durable, leaseMs: 5_000 }).plan(1, {
      begin: async () => new Map(Object.entries(begun)) as never,
      lanes: lanes as never,
      heads: async (of) => new Map(Object.entries(more).filter(([lane]) => of.includes(lane as never))) as never,
    });
  await plan("now", { "rooms.0": ["01234567", 42] }, {}, ["rooms.0"]);
  const both = await Promise.all(
    [7, 8].map((n) => plan("now", {}, { "rooms.0": ["x", 99], "accounts.0": ["89abcdef", n] })),
  );
  expect(both[0]).toEqual(both[1]);
  expect(both[0]?.get("rooms.0")).toEqual(["01234567", 42]);
  expect([7, 8]).toContain(both[0]?.get("accounts.0")?.[1]);
  expect(await plan("now", {}, {})).toEqual(both[0]);
  await plan("start", {}, {}, ["rooms.0"]);
  expect(await plan("start", {}, { "accounts.0": ["89abcdef", 7] })).toEqual(new Map());
});
