import type { Debts } from "@connect-hub/valkey";
import { beforeEach, describe, expect, test } from "vitest";
import { sharedRate } from "./sharedRate.ts";

let now = 0;
beforeEach(() => {
  now = 1_000_000;
});

/** Debts in memory, as the server keeps them. */
function memoryDebts(): Debts {
  const paidAt = new Map<string, number>();
  return {
    async add(owedMs) {
      for (const [key, ms] of owedMs) paidAt.set(key, Math.max(paidAt.get(key) ?? 0, now) + ms);
      return new Map([...owedMs.keys()].map((key) => [key, (paidAt.get(key) ?? 0) - now]));
    },
  };
}

const away: Debts = { add: () => Promise.reject(new Error("away")) };
const rate = (debts: Debts, burst = 10, perSecond = 2) => sharedRate({ perSecond, burst }, debts, () => now);
const taken = ({ take }: { take(key: string): number }, count: number, key = "ada") =>
  Array.from({ length: count }, () => take(key));
const free = (count: number) => Array<number>(count).fill(0);

describe("a rate", () => {
  test.each([1, 3, 1_000])("gives %i at once and not one more", (burst) => {
    expect(taken(rate(away, burst), burst - 1)).toEqual(free(burst - 1));
    expect(taken(rate(away, burst), burst)).toEqual(free(burst));
    expect(taken(rate(away, burst), burst + 1)).toEqual([...free(burst), 500]);
  });

  test("gives one back in its time, and says when that is", () => {
    const one = rate(away, 3);
    expect(taken(one, 4)).toEqual([0, 0, 0, 500]);
    now += 200;
    expect(one.take("ada")).toBe(300);
    now += 300;
    expect(taken(one, 2)).toEqual([0, 500]);
    now += 60_000;
    expect(taken(one, 4)).toEqual([0, 0, 0, 500]);
  });

  test("is each key's own", () => {
    const one = rate(away, 2);
    expect([taken(one, 3), taken(one, 3, "bob")]).toEqual([
      [0, 0, 500],
      [0, 0, 500],
    ]);
  });

  test("does not count what it refuses", () => {
    const one = rate(away, 1);
    expect(taken(one, 100).at(-1)).toBe(500);
    now += 500;
    expect(one.take("ada")).toBe(0);
  });
});

describe("edges that share a rate", () => {
  test("know of each other's as of the last time they told; what both gave too much is waited for", async () => {
    const debts = memoryDebts();
    const [here, there] = [rate(debts), rate(debts)];
    expect([taken(here, 10), taken(there, 8)]).toEqual([free(10), free(8)]);
    await here.share();
    await there.share();
    // 18 in all: 8 more than there are.
    expect(there.take("ada")).toBe(4_500);
    now += 4_000;
    expect([there.take("ada"), there.take("bob")]).toEqual([500, 0]);
    now += 500;
    expect(taken(there, 2)).toEqual([0, 500]);
  });

  test("count what is used while they tell each other", async () => {
    const one = rate(memoryDebts());
    taken(one, 4);
    const telling = one.share();
    taken(one, 4);
    await telling;
    expect(taken(one, 3)).toEqual([0, 0, 500]);
  });

  test("hold to it each by itself while they can't be heard", async () => {
    const one = rate(away);
    taken(one, 10);
    await expect(one.share()).rejects.toThrow("away");
    expect(one.take("ada")).toBe(500);
    now += 5_000;
    expect(taken(one, 11)).toEqual([...free(10), 500]);
  });
});
