import { afterEach, describe, expect, test } from "vitest";
import { roomCommands, roomModel } from "../room/index.ts";
import { ask, type MemoryBox, memoryBox } from "../testing/memoryBox.ts";
import type { Command, CommandReply } from "./command.ts";
import { decodeCommit } from "./commit.ts";
import { derivedId } from "./derivedId.ts";
import { factRef } from "./fact.ts";
import { weightOf } from "./factView.ts";
import type { LaneWriter } from "./laneWriter.ts";
import type { LaneWriterOptions } from "./laneWriterOptions.ts";

const people = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"] as const;
const [ana, bob] = people;
const room = "00000000-0000-4000-8000-000000000001";
const users = new Map(people.map((id) => [factRef("users", id), { id, status: "active" }]));
const foreign = { load: async () => users } as never;
const codeOf = (reply: CommandReply) => ("refused" in reply ? reply.refused.code : "ok");

const open: LaneWriter[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((writer) => writer.close()));
});

let ids = 0;
function command(box: MemoryBox, kind: Command["kind"], data: Command["data"], parts: Partial<Command> = {}): Command {
  ids += 1;
  const key = { actor: ana, id: derivedId(box.nowMs, `${ids}`) };
  return { key, kind, subject: room, data, deadlineAt: box.nowMs + 5_000, ...parts };
}
const post = (box: MemoryBox, text: string, parts: Partial<Command> = {}) =>
  command(box, "postMessage", { room, text }, parts);

/** A writer of a room of Ana's; what it did so far is in the tables. */
async function inRoom(options: Partial<LaneWriterOptions>) {
  const box = memoryBox(roomModel, "rooms.0");
  const first = await box.writer({ commands: roomCommands, foreign });
  expect(codeOf(await ask(first, command(box, "createRoom", { name: "den" })))).toBe("ok");
  expect(codeOf(await ask(first, post(box, "the key of what Ana writes is there")))).toBe("ok");
  await first.close();
  await box.project();
  const writer = await box.writer({ commands: roomCommands, foreign, writer: "second", ...options });
  open.push(writer);
  return { box, writer };
}

describe("a writer's queue", () => {
  test.each([
    [4, 0],
    [5, 0],
    [6, 1],
  ])("takes %d commands at once with room for 5, and turns %d away", async (count, busy) => {
    const { box, writer } = await inRoom({ maxPending: 5 });
    const replies = await Promise.all(Array.from({ length: count }, (_, i) => ask(writer, post(box, `${i}`))));
    const codes = replies.map(codeOf);
    expect(codes).toEqual(Array.from({ length: count }, (_, i) => (i < count - busy ? "ok" : "Busy")));
  });
});

describe("the tail that a writer keeps", () => {
  test.each([
    [9, "ok"],
    [10, "Busy"],
    [11, "Busy"],
  ])("with %d of 10 events answers %s, and goes on when the tables follow", async (events, code) => {
    const { box, writer } = await inRoom({ maxTailEvents: 10 });
    for (let i = 1; i <= Math.min(events, 9); i++) await ask(writer, post(box, `${i}`));
    // The last ones come in one commit, as those do that were waiting already.
    const together = Array.from({ length: Math.max(0, events - 9) }, (_, i) => ask(writer, post(box, `at once ${i}`)));
    expect((await Promise.all(together)).map(codeOf)).toEqual(together.map(() => "ok"));
    expect(codeOf(await ask(writer, post(box, "one more")))).toBe(code);
    await box.project();
    await expect.poll(async () => codeOf(await ask(writer, post(box, "again")))).toBe("ok");
  });

  test("counts a command that left no event as one", () => {
    expect(
      [[], [0], [0, 3], [1, 2]].map((counts) => weightOf(counts.map((count) => ({ events: Array(count) })))),
    ).toEqual([0, 1, 4, 3]);
  });

  test("that is full when they are decided turns away those that were taken before", async () => {
    const { box, writer } = await inRoom({ maxTailEvents: 300 });
    const replies = await Promise.all(Array.from({ length: 1_000 }, (_, i) => ask(writer, post(box, `${i}`))));
    const codes = replies.map(codeOf);
    // No commit takes more than 256, so the bound is passed by less than that.
    expect(codes.filter((code) => code === "ok")).toHaveLength(512);
    expect(codes.filter((code) => code === "Busy")).toHaveLength(488);
  });
});

describe("a command's deadline", () => {
  test.each([
    [-1, "DeadlinePassed"],
    [0, "ok"],
    [1, "ok"],
  ])("%d ms after it was decided: %s", async (leftMs, code) => {
    const { box, writer } = await inRoom({});
    expect(codeOf(await ask(writer, post(box, "x", { deadlineAt: box.nowMs + leftMs })))).toBe(code);
  });

  test("that passes between the decision and the append lets nothing be appended", async () => {
    const { box, writer } = await inRoom({
      step: (name) => {
        if (name === "append.decided") box.nowMs += 5_001;
      },
    });
    const count = box.lane.commits.length;
    expect(codeOf(await ask(writer, post(box, "x")))).toBe("Unavailable");
    expect(box.lane.commits).toHaveLength(count);
  });
});

describe("commands of one actor in one room", () => {
  test("keep their order whatever each has to wait for; others overtake", async () => {
    const { box, writer } = await inRoom({});
    const { load } = box.source;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    // The first one's edit needs a row that takes its time.
    Object.assign(box.source, {
      async load(...asked: Parameters<typeof load>) {
        if (asked[1].some((ref) => ref.startsWith("messages/"))) await held;
        return load(...asked);
      },
    });
    const order: string[] = [];
    const tell = async (name: string, one: Command) => order.push(`${name} ${codeOf(await ask(writer, one))}`);
    await ask(writer, command(box, "addMember", { room, user: bob }));
    const all = [
      tell("edit", command(box, "editMessage", { room, message: 2, text: "changed" })),
      tell("post", post(box, "after the edit")),
    ];
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual([]);
    release();
    await Promise.all(all);
    expect(order).toEqual(["edit ok", "post ok"]);
    const types = box.lane.commits.flatMap(({ bytes }) => decodeCommit(bytes).entries.map(({ kind }) => kind));
    expect(types.slice(-2)).toEqual(["editMessage", "postMessage"]);
  });
});
