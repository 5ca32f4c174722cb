import { expect, test, vi } from "vitest";
import { CopyQueue } from "./copyQueue.ts";

const blob = (hash: string, size = 0) => ({ hash, size, lastAccess: new Date(0) });

/** A queue whose copies end when the test says so. */
function queueUnderTest(mayCopy = () => true) {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const clock = { now: 0 };
  const queue = new CopyQueue({
    mayCopy,
    now: () => clock.now,
    copy({ hash }) {
      begun.push(hash);
      return new Promise((resolve) => ends.push(resolve));
    },
  });
  return { queue, begun, clock, endOne: () => ends.shift()?.() };
}

test("copies one after another, in order, and those that are assigned anew instead of those that wait", async () => {
  const { queue, begun, endOne } = queueUnderTest();
  queue.assign([blob("a"), blob("b")]);
  expect([queue.isCopying("a"), queue.isCopying("b")]).toEqual([true, false]);
  queue.assign([blob("c"), blob("d")]);
  for (const upTo of [
    ["a", "c"],
    ["a", "c", "d"],
  ]) {
    endOne();
    await vi.waitFor(() => expect(begun).toEqual(upTo));
  }
  endOne();
  await vi.waitFor(() => expect(queue.isCopying("d")).toBe(false));
  queue.assign([blob("e")]);
  expect(begun.at(-1)).toBe("e");
});

test("sends nothing that waits once something may not be sent", async () => {
  let may = true;
  const { queue, begun, endOne } = queueUnderTest(() => may);
  queue.assign([blob("a"), blob("b"), blob("c")]);
  may = false;
  endOne();
  await vi.waitFor(() => expect(queue.isCopying("a")).toBe(false));
  may = true;
  queue.assign([blob("d")]);
  expect(begun).toEqual(["a", "d"]);
});

test("is late when a copy takes longer than its bytes explain", () => {
  const { queue, clock } = queueUnderTest();
  expect(queue.isLate).toBe(false);
  queue.assign([blob("a", 5 * 1024 * 1024)]);
  clock.now = 15_000;
  expect(queue.isLate).toBe(false);
  clock.now = 15_200;
  expect(queue.isLate).toBe(true);
});

test("when closed it begins nothing and waits for what is under way", async () => {
  const { queue, begun, endOne } = queueUnderTest();
  queue.assign([blob("a"), blob("b")]);
  const closing = queue.close();
  queue.assign([blob("c")]);
  endOne();
  await closing;
  expect(begun).toEqual(["a"]);
});
