import { expect, test } from "vitest";
import { PasswordsBusy, passwords } from "./index.ts";

const { hash, verify } = passwords({ maxConcurrent: 2, maxWaiting: 100 });

test("a hash fits its own password and no other, and says how it was made", async () => {
  const made = await hash("correct horse");
  expect(made).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[^$]{22}\$[^$]{43}$/);
  expect([await verify(made, "correct horse"), await verify(made, "correct horsf")]).toEqual([true, false]);
});

test("two hashes of one password differ", async () => {
  expect(await hash("correct horse")).not.toBe(await hash("correct horse"));
});

test("a letter written in two ways is the same letter", async () => {
  expect(await verify(await hash("caf\u00e9 noir"), "cafe\u0301 noir")).toBe(true);
});

test("without a hash the answer is no, after as long as with one", async () => {
  const made = await hash("correct horse");
  const timed = async (given: string | undefined) => {
    const startedAt = process.hrtime.bigint();
    expect(await verify(given, "wrong horse")).toBe(false);
    return Number(process.hrtime.bigint() - startedAt);
  };
  const times: { known: number; unknown: number }[] = [];
  for (let round = 0; round < 15; round++) times.push({ known: await timed(made), unknown: await timed(undefined) });
  const fastest = (kind: "known" | "unknown") => Math.min(...times.map((time) => time[kind]));
  const ratio = fastest("unknown") / fastest("known");
  expect(ratio).toBeGreaterThan(0.7);
  expect(ratio).toBeLessThan(1.4);
});

test("more than the bound is refused as busy, the rest is done", async () => {
  const narrow = passwords({ maxConcurrent: 1, maxWaiting: 2 });
  const outcomes = await Promise.allSettled(["a", "b", "c", "d", "e"].map((password) => narrow.hash(password)));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected", "rejected"]);
  expect(outcomes.slice(3).map((outcome) => outcome.status === "rejected" && outcome.reason)).toEqual([
    expect.any(PasswordsBusy),
    expect.any(PasswordsBusy),
  ]);
});
