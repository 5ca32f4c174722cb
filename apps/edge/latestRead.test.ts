import { expect, test } from "vitest";
import { latestRead } from "./latestRead.ts";

/** Reads that end when they are told to; each gives its number. */
function controlled() {
  const ends: ((fails?: boolean) => void)[] = [];
  const read = latestRead(
    () =>
      new Promise<number>((resolve, reject) => {
        const number = ends.length + 1;
        ends.push((fails) => (fails ? reject(new Error("away")) : resolve(number)));
      }),
  );
  return { read, ends };
}

test("a call while nothing is read begins a read", async () => {
  const { read, ends } = controlled();
  const first = read();
  ends[0]?.();
  expect(await first).toBe(1);
  const second = read();
  ends[1]?.();
  expect(await second).toBe(2);
});

test("calls while a read is under way share the next one, because that one began before them", async () => {
  const { read, ends } = controlled();
  const first = read();
  const later = [read(), read(), read()];
  ends[0]?.();
  expect(await first).toBe(1);
  await expect.poll(() => ends.length).toBe(2);
  ends[1]?.();
  expect(await Promise.all(later)).toEqual([2, 2, 2]);
});

test("a read that fails is told to its own callers alone", async () => {
  const { read, ends } = controlled();
  const first = read();
  const second = read();
  ends[0]?.(true);
  await expect(first).rejects.toThrow("away");
  await expect.poll(() => ends.length).toBe(2);
  ends[1]?.();
  expect(await second).toBe(2);
});
