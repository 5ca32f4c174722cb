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

/** A partition at the end of its lane whose one room is parked since its first event; its marks are read when `letRead` says so. */
function opened() {
  let letRead: () => void = () => undefined;
  const mayRead = new Promise<void>((resolve) => {
    letRead = resolve;
  });
  const mark = markOf(event1, { after: ["", 0], attempts: 3, reason: "no" });
  const entries = new Map<string, StateEntry>([[key, { key, value: JSON.stringify(mark), revision: 1 }]]);
  const list = async () => {
    await mayRead;
    return [...entries.values()];
  };
  const state = { list, put: async () => 2, drop: async (dropped: string) => void entries.delete(dropped) };
  async function* read(_lane: string, { after, signal }: Reading): AsyncGenerator<SourceBatch> {
    const events = [event1, event2].filter(({ n }) => n > after[1]);
    if (events.length > 0) yield { events, position: end };
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
      positions: new Map([[lane, end]]),
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
