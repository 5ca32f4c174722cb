import type { Subject } from "@connect-hub/domain/kernel";
import type { LanePosition, ServiceEvent, StateEntry } from "@connect-hub/domain/services";
import { expect, test } from "vitest";
import { Marks, markOf, subjectKey } from "./parking.ts";
import { Partition } from "./partition.ts";
import type { EventSource, SourceBatch } from "./source.ts";

const lane = "rooms.0";
const room: Subject = { kind: "room", id: "r" };
const [event1, event2] = [1, 2].map(
  (n): ServiceEvent => ({
    ...{ id: `rooms.0:e:${n}:0`, lane, n, index: 0, at: "2026-01-01T00:00:00.000Z", type: "MessagePosted.v1" },
    ...{ subject: room, by: "ada", data: {}, sealed: [] },
  }),
) as [ServiceEvent, ServiceEvent];
const end: LanePosition = ["e", 2];
type Reading = Parameters<EventSource["read"]>[1];
const key = `parked.d.0.${subjectKey(room)}`;

interface Scene {
  /** The events that there are, as the log is read after any position. */
  readonly log?: readonly ServiceEvent[];
  readonly parkedBy?: ServiceEvent;
  readonly after?: LanePosition;
  /** How far the lane is handled. */
  readonly at?: LanePosition;
}

/** A partition whose one room is parked; by default since the first event of its lane, at the end of that. Its marks are read when `letRead` says so. */
function opened({ log = [event1, event2], parkedBy = event1, after: parkedAfter = ["", 0], at = end }: Scene = {}) {
  let letRead: () => void = () => undefined;
  const mayRead = new Promise<void>((resolve) => {
    letRead = resolve;
  });
  const mark = markOf(parkedBy, { after: parkedAfter, attempts: 3, reason: "no" });
  const entries = new Map<string, StateEntry>([[key, { key, value: JSON.stringify(mark), revision: 1 }]]);
  const list = async () => {
    await mayRead;
    return [...entries.values()];
  };
  const state = { list, put: async () => 2, drop: async (dropped: string) => void entries.delete(dropped) };
  async function* read(_lane: string, { after, signal }: Reading): AsyncGenerator<SourceBatch> {
    // As the log does after a restore: what follows the last commit of that epoch.
    const last = log.findLast(({ id, n }) => id.split(":")[1] === after[0] && n <= after[1])?.n ?? 0;
    const events = log.filter(({ n }) => n > last);
    if (events.length > 0) yield { events, position: at };
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }
  const handled: number[] = [];
  const partition = new Partition({
    source: { lanes: async () => new Map(), head: async () => end, read, state },
    marks: new Marks(state, "d"),
    ...{
      partition: 0,
      partitions: 1,
      lanes: new Map([[lane, ["MessagePosted.v1"]]]),
      positions: new Map([[lane, at]]),
    },
    ...{ batch: 1, maxAttempts: 1, backOffMs: 1, maxBackOffMs: 1, onTrouble: () => undefined },
    handler: (events) => void handled.push(...events.map(({ n }) => n)),
  });
  return { partition, entries, handled, letRead };
}

test("a parked subject that is to be tried again before the marks were read is tried when they are", async () => {
  const { partition, entries, handled, letRead } = opened();
  const retried = partition.retry(room);
  letRead();
  expect(await retried).toBe(true);
  expect([handled, entries.size]).toEqual([[1, 2], 0]);
  expect(await partition.retry(room)).toBe(false);
  await partition.close();
});

test("a request that is broken off before the marks were read is not answered: it has to be made again", async () => {
  const { partition, entries, handled, letRead } = opened();
  const retried = partition.retry(room);
  const closed = partition.close();
  letRead();
  await expect(retried).rejects.toThrow("closed");
  await closed;
  expect([handled, entries.size]).toEqual([[], 1]);
});

const eventOf = (epoch: string, n: number): ServiceEvent => ({ ...event1, id: `rooms.0:${epoch}:${n}:0`, n });

test.each<[string, Scene, number[]]>([
  [
    "shorter than it was",
    {
      log: [eventOf("e", 1), eventOf("f", 3), eventOf("f", 4)],
      parkedBy: eventOf("e", 9),
      after: ["e", 8],
      at: ["f", 4],
    },
    [3, 4],
  ],
  [
    "longer than it was by now",
    {
      log: [eventOf("e", 1), ...[3, 6, 12].map((n) => eventOf("f", n))],
      parkedBy: eventOf("e", 9),
      after: ["e", 8],
      at: ["f", 12],
    },
    [3, 6, 12],
  ],
])("of a log that was restored, %s, nothing is left out that came after it", async (_, scene, numbers) => {
  const { partition, entries, handled, letRead } = opened(scene);
  letRead();
  expect(await partition.retry(room)).toBe(true);
  expect([handled, entries.size]).toEqual([numbers, 0]);
  await partition.close();
});

test("of a log of which an epoch was archived meanwhile, what was handled before is not handled again", async () => {
  const log = [...[5, 6, 9].map((n) => eventOf("e", n)), eventOf("f", 12)];
  const { partition, handled, letRead } = opened({ log, parkedBy: eventOf("e", 9), after: ["e", 5], at: ["f", 12] });
  letRead();
  expect(await partition.retry(room)).toBe(true);
  expect(handled).toEqual([9, 12]);
  await partition.close();
});
