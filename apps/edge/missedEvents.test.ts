import { eventText, FactsUnavailable } from "@connect-hub/domain/kernel";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { EdgeLanes } from "./edgeLanes.ts";
import { type Missed, missedEvents } from "./missedEvents.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const lanes = { ofRoom: () => ({ view: { floor: 0 }, roomTail: () => [] }) } as unknown as EdgeLanes;
const missed: Missed = { room: "r1", epoch: "e1", fromS: 3, head: 5, from: 1 };

/** Reads of a room in which event 4 edits message 1. */
function reads({ textLength = 1 } = {}) {
  const read = vi.fn(async (room: string, fromS: number, toS: number) =>
    Array.from({ length: toS - fromS + 1 }, (_, at) => {
      const s = fromS + at;
      const d = { ...(s === 4 && { message: 1 }), text: "x".repeat(textLength) };
      return eventText({ r: room, s, t: s === 4 ? "messageEdited" : "messagePosted", d, by: "u1", at: "" });
    }),
  );
  const readMissed = missedEvents(lanes, read);
  const kinds = async (wanted: Missed) =>
    (await readMissed(wanted)).flatMap(({ body }) =>
      JSON.parse(Buffer.from(body).toString()).map(({ t }: { t: string }) => t),
    );
  return { read, kinds, readMissed };
}

test("those who missed the same share one read, for a moment", async () => {
  const { read, readMissed } = reads();
  const [one, another] = await Promise.all([readMissed(missed), readMissed({ ...missed })]);
  expect(another).toBe(one);
  await vi.advanceTimersByTimeAsync(999);
  expect(await readMissed(missed)).toBe(one);
  await vi.advanceTimersByTimeAsync(1);
  expect(await readMissed(missed)).not.toBe(one);
  expect(read).toHaveBeenCalledTimes(2);
});

test.each<[string, Partial<Missed>]>([
  ["another room", { room: "r2" }],
  ["another epoch", { epoch: "e2" }],
  ["more", { fromS: 2 }],
  ["a head that moved on", { head: 6 }],
  ["another history", { from: 2 }],
])("%s is read for itself", async (_, other) => {
  const { read, readMissed } = reads();
  await Promise.all([readMissed(missed), readMissed({ ...missed, ...other })]);
  expect(read).toHaveBeenCalledTimes(2);
});

test("who came later does not see what happened to an older message", async () => {
  const { kinds } = reads();
  expect(await kinds(missed)).toEqual(["messagePosted", "messageEdited", "messagePosted"]);
  expect(await kinds({ ...missed, from: 2 })).toEqual(["messagePosted", "hidden", "messagePosted"]);
});

test("what is large, or failed, is not kept", async () => {
  const large = reads({ textLength: 100_000 });
  await large.readMissed(missed);
  await large.readMissed(missed);
  expect(large.read).toHaveBeenCalledTimes(2);
  const { read, readMissed } = reads();
  read.mockRejectedValueOnce(new FactsUnavailable("away"));
  await expect(readMissed(missed)).rejects.toThrow("away");
  expect(await readMissed(missed)).toHaveLength(1);
});

test("a hundred parts are kept at a time", async () => {
  const { read, readMissed } = reads();
  const parts = Array.from({ length: 101 }, (_, at) => ({ ...missed, room: `r${at}` }));
  for (const part of [...parts, ...parts]) await readMissed(part);
  expect(read).toHaveBeenCalledTimes(102);
});
