import { expect, test } from "vitest";
import { roomCommands, roomModel } from "../room/index.ts";
import { ask, memoryBox } from "../testing/memoryBox.ts";
import { decodeCommit, hashCommit } from "./commit.ts";
import { CommitChain } from "./commitChain.ts";
import { derivedId } from "./derivedId.ts";
import { closesEpoch, encodeEpochBegan, encodeEpochClosed } from "./epochBegan.ts";
import { factRef } from "./fact.ts";
import { isOfLane } from "./ports.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const room = "00000000-0000-4000-8000-000000000001";
const foreign = { load: async () => new Map([[factRef("users", ana), { id: ana, status: "active" }]]) } as never;
const next = "f".repeat(32);
const salt = new Uint8Array(16);

/** A box with a room, its tables at the head, whose lane was closed to go on in `next`. */
async function closedBox() {
  const box = memoryBox(roomModel, "rooms.0");
  const lost: string[] = [];
  const onLost = (reason: string) => void lost.push(reason);
  const send = (writer: Awaited<ReturnType<typeof box.writer>>, kind: "createRoom" | "postMessage", data: object) => {
    const key = { actor: ana, id: derivedId(box.nowMs, kind, JSON.stringify(data)) };
    return ask(writer, { key, kind, subject: room, data: data as never, deadlineAt: box.nowMs + 5_000 });
  };
  const writer = await box.writer({ commands: roomCommands, foreign, onLost });
  await send(writer, "createRoom", { name: "den" });
  await box.project();
  const end = () => {
    const bytes = box.lane.commits.at(-1)?.bytes ?? salt;
    return { ...decodeCommit(bytes), hash: hashCommit(bytes), nowMs: box.nowMs };
  };
  box.lane.appendForeign(encodeEpochClosed(end(), next, salt));
  return { box, lost, send, writer, end };
}

test("nobody writes to a closed epoch: its writer loses the lane, and no other takes it over", async () => {
  const { box, lost, send, writer } = await closedBox();
  const count = box.lane.commits.length;
  expect(await send(writer, "postMessage", { room, text: "too late" })).toMatchObject({
    refused: { code: "LaneMoved" },
  });
  expect(lost).toHaveLength(1);
  await expect(box.writer({ commands: roomCommands, foreign })).rejects.toThrow("rooms.0 is closed to go on");
  expect(box.lane.commits).toHaveLength(count);
  await writer.close();
});

test("the next epoch goes on over tables that stand in the closed one, and the chain holds over both", async () => {
  const { box, send, writer, end } = await closedBox();
  const { n: last, epoch } = end();
  box.lane.appendForeign(encodeEpochBegan(end(), next, salt, "archive"));
  const past = [{ epoch, last }];
  const strange = { ...box.lane, epoch: next, past: [{ epoch, last: 1 }] };
  await expect(box.writer({ commands: roomCommands, foreign, lane: strange })).rejects.toThrow("rebuild them");
  const later = await box.writer({ commands: roomCommands, foreign, lane: { ...box.lane, epoch: next, past } });
  expect(await send(later, "postMessage", { room, text: "on" })).toMatchObject({ ok: { room, s: 2, m: 1 } });
  const chain = new CommitChain("rooms.0");
  expect(box.lane.commits.map(({ bytes }) => chain.take(bytes)).filter((fault) => fault !== undefined)).toEqual([]);
  const closing = (of: string) => box.lane.commits.filter(({ bytes }) => closesEpoch(bytes, of)).map(({ n }) => n);
  expect([closing(epoch), closing(next)]).toEqual([[last], []]);
  await Promise.all([writer.close(), later.close()]);
});

test("what is of a closed epoch is of the lane up to its end, what is of a restored one is not", () => {
  const lane = { epoch: next, past: [{ epoch: "a", last: 5 }] };
  expect(isOfLane(lane, { epoch: next, n: 9 })).toBe(true);
  expect(isOfLane(lane, { epoch: "a", n: 5 })).toBe(true);
  expect(isOfLane(lane, { epoch: "a", n: 6 })).toBe(false);
  expect(isOfLane({ epoch: next }, { epoch: "a", n: 5 })).toBe(false);
});
