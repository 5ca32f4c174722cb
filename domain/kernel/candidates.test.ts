import { describe, expect, test } from "vitest";
import type { LaneId } from "../values/ids.ts";
import { candidates, decodeInstanceBeat, instanceOf, shouldTake, writerIdOf } from "./candidates.ts";

const lanes = Array.from({ length: 64 }, (_, k): LaneId => `rooms.${k}`);
const instances = ["000000000001", "000000000002", "000000000003"];

describe("the candidates for a lane", () => {
  test("are all instances, in one order whoever asks", () => {
    for (const lane of lanes) {
      const order = candidates(lane, instances);
      expect([...order].sort()).toEqual(instances);
      expect(candidates(lane, [...instances].reverse())).toEqual(order);
    }
  });

  test("share the lanes, and only those of one that goes move", () => {
    const first = (among: readonly string[]) => lanes.map((lane) => candidates(lane, among)[0]);
    const before = first(instances);
    for (const one of instances) expect(before.filter((who) => who === one).length).toBeGreaterThan(8);
    const after = first(instances.slice(1));
    for (const [at, who] of before.entries()) if (who !== instances[0]) expect(after[at]).toBe(who);
  });
});

describe("an instance", () => {
  test.each([
    ["the first takes a vacant lane at once", 0, 0, 0, true],
    ["the second waits for the first", 1, 0, 1_999, false],
    ["but not for ever", 1, 0, 2_000, true],
    ["and the third for both", 2, 0, 3_999, false],
    ["a lane that is led is taken by a better one", 0, 2_000, undefined, true],
    ["that is so for a while", 0, 1_999, undefined, false],
    ["and by no other", 1, 60_000, undefined, false],
    ["whoever leaves takes nothing", -1, 60_000, 60_000, false],
  ])("%s", (_, rank, firstForMs, vacantForMs, takes) => {
    expect(shouldTake({ rank, firstForMs, vacantForMs })).toBe(takes);
  });

  test("is known by its writers' ids, also by those of earlier versions", () => {
    expect(instanceOf(writerIdOf("0123456789ab", 3))).toBe("0123456789ab");
    expect(instanceOf("0123456789abcdef")).toBe("0123456789abcdef");
  });

  test.each(["", "{}", '{"instance":"w1","leaving":false}', '{"instance":"0123456789ab"}'])(
    "does not speak by %j",
    (text) => expect(decodeInstanceBeat(Buffer.from(text))).toBeUndefined(),
  );
});
