import {
  type ClientEvent,
  type Command,
  derivedId,
  eventText,
  followLane,
  type LaneFollower,
} from "@connect-hub/domain/kernel";
import { roomCommands, roomModel } from "@connect-hub/domain/room";
import { ask, memoryBox } from "@connect-hub/domain/testing";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { eventsBetween, type ReadRows } from "./roomHistory.ts";

const ada = "00000000-0000-4000-8000-00000000000a";
const room = "00000000-0000-4000-8000-000000000001";
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A room in memory: its writer, a follower of its lane, and its rows. */
async function roomInMemory() {
  const box = memoryBox(roomModel, "rooms.0");
  const writer = await box.writer({ commands: roomCommands });
  open.push(writer);
  const { lane, source, vault } = box;
  const follower = await followLane({ lane, source, vault, model: roomModel });
  open.push(follower);
  let commands = 0;
  const send = async (kind: Command["kind"], data: Command["data"]): Promise<number> => {
    commands += 1;
    const key = { actor: ada, id: derivedId(box.nowMs, `${commands}`) };
    const reply = await ask(writer, { key, kind, subject: room, data, deadlineAt: box.nowMs + 5_000 });
    return Number("ok" in reply ? (reply.ok as { s: number }).s : Number.NaN);
  };
  await send("createRoom", { name: "Engine" });
  const readRows: ReadRows = async (_, fromS, toS) =>
    box.tables
      .rows("room_events")
      .map(({ s, type, data, at, by }) => ({ r: room, s, t: type, d: data, by, at }) as unknown as ClientEvent)
      .map(eventText)
      .filter(({ s }) => s >= fromS && s <= toS);
  const read = async (fromS: number, toS: number): Promise<readonly ClientEvent[]> =>
    (await eventsBetween(follower, readRows, { room, fromS, toS })).map(({ text }) => JSON.parse(text));
  const reached = () => follower.reached(lane.commits.length, 5_000);
  return { box, follower, send, read, readRows, reached };
}

const numbers = (events: readonly ClientEvent[]) => events.map(({ s }) => s);
const span = (fromS: number, toS: number) =>
  Array.from({ length: Math.max(0, toS - fromS + 1) }, (_, at) => fromS + at);

test("wherever the tables stand, a part of the history is whole", async () => {
  const step = fc.constantFrom("post", "void", "project", "project some", "move floor", "read");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer(), async (steps, seed) => {
      const { box, follower, send, read, reached } = await roomInMemory();
      let head = 1;
      for (const [index, what] of steps.entries()) {
        if (what === "post") head = await send("postMessage", { room, text: `${head}` });
        // An event of the room without a number.
        if (what === "void") await send("voidClaim", { room, file: derivedId(box.nowMs, `${seed} ${index}`) });
        if (what === "project") await box.project();
        if (what === "project some") await box.project(Math.ceil(box.lane.commits.length / 2));
        if (what === "move floor") await follower.view.load([]).catch(() => undefined);
        if (what !== "read") continue;
        await reached();
        const fromS = 1 + (Math.abs(seed + index) % head);
        expect(numbers(await read(fromS, head))).toEqual(span(fromS, head));
      }
      await reached();
      expect(numbers(await read(1, head))).toEqual(span(1, head));
    }),
    { numRuns: 20 },
  );
});

test.each([0, 2, 4, 5])("a text that was deleted is blank, also with the tables at commit %i", async (projected) => {
  const { box, follower, send, read, reached } = await roomInMemory();
  const message = await send("postMessage", { room, text: "soon gone" });
  await send("editMessage", { room, message, text: "gone too" });
  await send("deleteMessage", { room, message });
  await box.project(projected);
  await reached();
  await follower.view.load([]);
  const [posted, edited] = await read(message, message + 2);
  expect([posted?.d, edited?.d]).toEqual([{ text: null }, { message, text: null }]);
});

test("a hole that does not close is an error that may be tried again, never a shorter answer", async () => {
  const { box, send, readRows } = await roomInMemory();
  await send("postMessage", { room, text: "x" });
  await box.project();
  const behind = { lane: box.lane, view: { floor: 9 }, roomTail: () => [] } as unknown as LaneFollower;
  const lossy: ReadRows = async (...part) => (await readRows(...part)).filter(({ s }) => s !== 1);
  await expect(eventsBetween(behind, lossy, { room, fromS: 1, toS: 2 })).rejects.toMatchObject({
    code: "FactsUnavailable",
  });
});
