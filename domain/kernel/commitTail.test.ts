import { expect, test } from "vitest";
import { memoryLane } from "../testing/memoryLane.ts";
import { CommitTail } from "./commitTail.ts";
import type { StoredCommit } from "./ports.ts";

const bytesOf = (n: number) => Buffer.from(`{"n":${n}}`);

/** A lane whose own writer appends through a tail that began after `before` commits. */
function laneWithTail(before: number, maxBytes?: number) {
  const lane = memoryLane();
  for (let n = 1; n <= before; n++) lane.appendForeign(bytesOf(n));
  let reads = 0;
  const counted = {
    read(from: number, signal: AbortSignal) {
      reads += 1;
      return lane.read(from, signal);
    },
  };
  const tail = new CommitTail(counted, before, maxBytes);
  return {
    tail,
    reads: () => reads,
    append(n: number) {
      lane.appendForeign(bytesOf(n));
      tail.push({ n, bytes: bytesOf(n) });
    },
  };
}

/** Reads from `from` on until `to`; what happens `between` comes after each batch. */
async function readUntil(
  tail: CommitTail,
  from: number,
  to: number,
  between: (last: number) => void = () => undefined,
) {
  const stop = new AbortController();
  const seen: StoredCommit[] = [];
  for await (const batch of tail.read(from, stop.signal)) {
    seen.push(...batch);
    const last = seen.at(-1)?.n ?? 0;
    if (last >= to) stop.abort();
    else between(last);
  }
  for (const { n, bytes } of seen) expect(Buffer.from(bytes).equals(bytesOf(n))).toBe(true);
  return seen.map(({ n }) => n);
}

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

test("what was there comes from the log, what is appended does not", async () => {
  const { tail, append, reads } = laneWithTail(5);
  expect(await readUntil(tail, 1, 30, (last) => append(last + 1))).toEqual(upTo(30));
  expect(reads()).toBe(1);
  append(31);
  expect(await readUntil(tail, 31, 31)).toEqual([31]);
  expect(reads()).toBe(1);
});

test("a reader that waits is woken by the next commit, and ends when its signal aborts", async () => {
  const { tail, append } = laneWithTail(0);
  const reading = readUntil(tail, 1, 2);
  await new Promise((resolve) => setImmediate(resolve));
  append(1);
  await new Promise((resolve) => setImmediate(resolve));
  append(2);
  expect(await reading).toEqual([1, 2]);
  const stop = new AbortController();
  const waiting = tail.read(3, stop.signal)[Symbol.asyncIterator]().next();
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  expect((await waiting).done).toBe(true);
});

test("what is too much to keep for a slow reader is read from the log", async () => {
  const { tail, append, reads } = laneWithTail(0, 40);
  for (const n of upTo(50)) append(n);
  const seen = await readUntil(tail, 1, 80, (last) => {
    if (last >= 50) for (const n of upTo(80, 51)) if (n > last) append(n);
  });
  expect(seen).toEqual(upTo(80));
  expect(reads()).toBeGreaterThan(0);
});
