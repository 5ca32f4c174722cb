import { type Command, derivedId, factRef, followLane, type Lane } from "@connect-hub/domain/kernel";
import { roomCommands, roomModel } from "@connect-hub/domain/room";
import { ask, memoryBox } from "@connect-hub/domain/testing";
import { afterEach, expect, test, vi } from "vitest";
import { edgeLanes } from "./edgeLanes.ts";
import { roomSetVersion, roomState, statesIn } from "./roomStates.ts";

const ada = "00000000-0000-4000-8000-00000000000a";
const room = "00000000-0000-4000-8000-000000000001";
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A room in memory whose follower hears nothing of the log until `hear`, while the tables have all of it. */
async function behindTheTables() {
  const box = memoryBox(roomModel, "rooms.0");
  const writer = await box.writer({ commands: roomCommands });
  open.push(writer);
  let hear: () => void = () => undefined;
  let isDeaf = Promise.resolve();
  const lane: Lane = {
    ...box.lane,
    async *read(from, signal) {
      for await (const batch of box.lane.read(from, signal)) {
        await isDeaf;
        yield batch;
      }
    },
  };
  const follower = await followLane({ lane, source: box.source, vault: box.vault, model: roomModel });
  isDeaf = new Promise((resolve) => {
    hear = resolve;
  });
  // Before the follower is closed, which waits for what it reads.
  open.push(follower, { close: async () => hear() });
  const send = async (n: number, kind: Command["kind"], data: Command["data"]) => {
    const key = { actor: ada, id: derivedId(box.nowMs, `${n}`) };
    expect(await ask(writer, { key, kind, subject: room, data, deadlineAt: box.nowMs + 5_000 })).toHaveProperty("ok");
  };
  await send(1, "createRoom", { name: "Engine" });
  await send(2, "postMessage", { room, text: "x" });
  await box.project();
  return { follower, lanes: edgeLanes(follower, [follower], follower, { holds: () => true }), hear };
}

test("facts from tables that are ahead wait until the follower is as far", async () => {
  const { follower, lanes, hear } = await behindTheTables();
  const reads = [
    roomState(lanes, room, ada).then(({ s }) => s),
    statesIn([room], ada, lanes).then(({ states }) => states[0]?.s),
    roomSetVersion(ada, lanes),
  ];
  const heads = Promise.all(reads.map((read) => read.then(() => follower.view.head >= follower.view.floor)));
  await vi.waitFor(() => expect(follower.view.floor).toBeGreaterThan(follower.view.head));
  hear();
  expect(await heads).toEqual([true, true, true]);
  expect(await Promise.all(reads)).toEqual([2, 2, 1]);
});

test("facts that the follower does not reach in time are refused", async () => {
  const { lanes } = await behindTheTables();
  vi.useFakeTimers();
  const refused = expect(roomState(lanes, room, ada)).rejects.toMatchObject({ wire: { name: "NotCaughtUp" } });
  await vi.advanceTimersByTimeAsync(2_000);
  await refused;
});

test("memberships that were asked for are forgotten soon, rooms are not", async () => {
  const { follower, lanes, hear } = await behindTheTables();
  hear();
  await roomState(lanes, room, ada);
  vi.useFakeTimers();
  await statesIn([room], ada, lanes);
  const known = () =>
    [factRef("rooms", room), factRef("memberships", room, ada)].map((ref) => follower.view.knows(ref));
  expect(known()).toEqual([true, true]);
  vi.advanceTimersByTime(2_000);
  expect(known()).toEqual([true, false]);
});
