import { EpochOver, type Lane, type StoredCommit } from "@connect-hub/domain/kernel";
import { expect, test } from "vitest";
import { lastingLane } from "./lastingLane.ts";

const commit = (n: number): StoredCommit => ({ n, bytes: new Uint8Array() });

/** A lane that is in epoch `b` by now, in which an archive has it go on after commit 3; after a restore nothing is said of `a`. */
function laneOf(past: Lane["past"]) {
  const over = new EpochOver("rooms.0", "a");
  const ends = { append: async () => "epochOver" as const, time: () => Promise.reject(over) };
  const former: Lane = {
    ...{
      id: "rooms.0",
      epoch: "a",
      ...ends,
      readAt: () => Promise.reject(over),
      lastNumber: () => Promise.reject(over),
    },
    async *read() {
      yield [commit(2), commit(3)];
      throw over;
    },
  };
  const present: Lane = {
    ...{ id: "rooms.0", epoch: "b", past: past ?? [], append: async () => "stored" as const, time: async () => 7 },
    readAt: async () => ({ bytes: new Uint8Array([9]) }),
    lastNumber: async () => 5,
    async *read(from) {
      yield [4, 5].filter((n) => n >= from).map(commit);
    },
  };
  return lastingLane(former, async () => present);
}

async function numbersOf(lane: Lane): Promise<number[]> {
  const numbers: number[] = [];
  for await (const batch of lane.read(2, new AbortController().signal)) numbers.push(...batch.map(({ n }) => n));
  return numbers;
}

test("goes on where an archive has it go on, whatever it is asked", async () => {
  const past = [{ epoch: "a", last: 3 }];
  const lane = laneOf(past);
  expect([lane.epoch, lane.past]).toEqual(["a", []]);
  expect(await numbersOf(lane)).toEqual([2, 3, 4, 5]);
  expect([lane.epoch, lane.past]).toEqual(["b", past]);
  expect([await laneOf(past).lastNumber(), await laneOf(past).time()]).toEqual([5, 7]);
  expect(await laneOf(past).readAt(4)).toEqual({ bytes: new Uint8Array([9]) });
});

test("is over after a restore", async () => {
  await expect(numbersOf(laneOf([]))).rejects.toThrow(EpochOver);
  await expect(laneOf(undefined).lastNumber()).rejects.toThrow(EpochOver);
});
