import { afterEach, describe, expect, test, vi } from "vitest";
import { roomCommands, roomModel } from "../room/index.ts";
import { ask, type MemoryBox, memoryBox } from "../testing/memoryBox.ts";
import { limits } from "../values/limits.ts";
import { decodePosition } from "../values/position.ts";
import type { Command, CommandReply } from "./command.ts";
import { commitLimits, decodeCommit, encodeCommit, encodeEntry, hashCommit, rootsHold } from "./commit.ts";
import { derivedId } from "./derivedId.ts";
import { encodeEpochBegan, epochFault } from "./epochBegan.ts";
import { type FactRef, factRef } from "./fact.ts";
import { factsVersionOf } from "./factsVersion.ts";
import type { LaneWriter } from "./laneWriter.ts";
import { FactsOfAnotherVersion, VaultUnavailable } from "./ports.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const bob = "00000000-0000-4000-8000-00000000000b";
const room = "00000000-0000-4000-8000-000000000001";
const people = new Map([ana, bob].map((id) => [factRef("users", id), { id, status: "active" }]));
const foreign = { load: async () => people } as never;

let ids = 0;
const open: LaneWriter[] = [];
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(open.splice(0).map((writer) => writer.close()));
});

async function startWriter(box: MemoryBox, options: object = {}): Promise<LaneWriter> {
  const writer = await box.writer({ commands: roomCommands, foreign, ...options });
  open.push(writer);
  return writer;
}

function command(box: MemoryBox, kind: Command["kind"], data: Command["data"], parts: Partial<Command> = {}): Command {
  ids += 1;
  const key = { actor: ana, id: derivedId(box.nowMs, "test", String(ids)) };
  return { key, kind, subject: room, data, deadlineAt: box.nowMs + 5_000, ...parts };
}

const post = (box: MemoryBox, text: string, parts: Partial<Command> = {}) =>
  command(box, "postMessage", { room, text }, parts);
const create = (box: MemoryBox) => command(box, "createRoom", { name: "den" });
const okOf = (reply: CommandReply) => ("ok" in reply ? reply.ok : reply);
const codeOf = (reply: CommandReply) => ("refused" in reply ? reply.refused.code : "ok");

async function boxWithRoom(options: object = {}) {
  const box = memoryBox(roomModel, "rooms.0");
  const writer = await startWriter(box, options);
  expect(codeOf(await ask(writer, create(box)))).toBe("ok");
  return { box, writer };
}

describe("one lane's writer", () => {
  test("its first act is a commit without entries, of the next term, chained to the one before", async () => {
    const { box, writer } = await boxWithRoom();
    await writer.close();
    await startWriter(box, { writer: "second" });
    const [first, second, third] = box.lane.commits.map(({ bytes }) => decodeCommit(bytes));
    expect(first).toMatchObject({ n: 1, term: 1, prevHash: "", entries: [] });
    expect(second?.entries).toHaveLength(1);
    expect(third).toMatchObject({ n: 3, term: 2, writer: "second", entries: [] });
    expect(third?.prevHash).toBe(hashCommit(box.lane.commits[1]?.bytes ?? new Uint8Array()));
  });

  test.each([
    [1_999, 1],
    [2_000, 1],
    [2_001, 0],
    [-2_000, 1],
    [-2_001, 0],
  ])("with a clock %d ms off the log's it appends %d commits", async (apartMs, commits) => {
    const box = memoryBox(roomModel, "rooms.0");
    const started = startWriter(box, { now: () => box.nowMs + apartMs });
    await (commits === 1 ? started : expect(started).rejects.toMatchObject({ code: "TakeOverFailed" }));
    expect(box.lane.commits).toHaveLength(commits);
  });

  test.each([
    [3, [1, 3]],
    [4, [4]],
  ])("what is sent while those of a commit of %d are answered is stored in commits of %j", async (first, after) => {
    const { box, writer } = await boxWithRoom();
    // However long this takes, the writer goes on waiting.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await Promise.all(Array.from({ length: first }, () => ask(writer, post(box, "first"))));
    const before = box.lane.commits.length;
    const [one, ...others] = Array.from({ length: 4 }, () => post(box, "again"));
    const answers = [ask(writer, one as Command)];
    await new Promise((resolve) => setImmediate(resolve));
    for (const other of others) answers.push(ask(writer, other));
    expect((await Promise.all(answers)).map(codeOf)).toEqual(["ok", "ok", "ok", "ok"]);
    expect(box.lane.commits.slice(before).map(({ bytes }) => decodeCommit(bytes).entries.length)).toEqual(after);
  });

  test("a log that was written by a clock ahead is taken over, and its time does not go back", async () => {
    const { box, writer } = await boxWithRoom();
    await writer.close();
    box.nowMs -= 3_600_000;
    await startWriter(box, { writer: "second" });
    const [before, after] = box.lane.commits.slice(-2).map(({ bytes }) => decodeCommit(bytes));
    expect(after).toMatchObject({ term: 2, at: before?.at });
  });

  test("who can't read the tail does not throw out the writer that works", async () => {
    const { box, writer } = await boxWithRoom();
    await ask(writer, post(box, "sealed"));
    const vault = { ...box.vault, byId: () => Promise.reject(new VaultUnavailable("away")) };
    await expect(startWriter(box, { writer: "second", vault })).rejects.toThrow(VaultUnavailable);
    expect(codeOf(await ask(writer, post(box, "still here")))).toBe("ok");
  });

  test("it is taken over from a writer that goes on appending", async () => {
    const { box, writer } = await boxWithRoom();
    let lost = false;
    const talking = (async () => {
      for (let i = 0; !lost; i++) lost = codeOf(await ask(writer, post(box, `${i}`))) === "LaneMoved";
    })();
    const second = await startWriter(box, { writer: "second" });
    await talking;
    expect(second.position.term).toBe(2);
    expect(codeOf(await ask(second, post(box, "after")))).toBe("ok");
  });

  test("what comes while an append is under way goes out as one commit, in order", async () => {
    const { box, writer } = await boxWithRoom();
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(writer, post(box, `m${i}`))));
    expect(replies.map(okOf)).toEqual(Array.from({ length: 20 }, (_, i) => ({ room, s: i + 2, m: i + 1 })));
    expect(box.lane.commits.length).toBeLessThan(8);
    expect(box.lane.commits.every(({ bytes }) => rootsHold(decodeCommit(bytes)))).toBe(true);
  });

  test.each([
    [255, [255]],
    [256, [256]],
    [257, [256, 1]],
  ])("%d commands at once are commits of %j entries", async (count, sizes) => {
    const { box, writer } = await boxWithRoom();
    await ask(writer, post(box, "the key of what ana writes is there"));
    const before = box.lane.commits.length;
    await Promise.all(Array.from({ length: count }, (_, i) => ask(writer, post(box, `m${i}`))));
    const commits = box.lane.commits.slice(before).map(({ bytes }) => decodeCommit(bytes));
    expect(commits.map(({ entries }) => entries.length)).toEqual(sizes);
  });

  test("a commit never has more than 512 KiB", async () => {
    const { box, writer } = await boxWithRoom();
    const replies = await Promise.all(
      Array.from({ length: 120 }, () => ask(writer, post(box, "é".repeat(limits.textLength)))),
    );
    expect(replies.map(codeOf)).toEqual(replies.map(() => "ok"));
    const sizes = box.lane.commits.map(({ bytes }) => bytes.byteLength);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(commitLimits.bytes);
    expect(Math.max(...sizes)).toBeGreaterThan(commitLimits.bytes - 30_000);
  });

  test("a body is sealed in the log and plain in the tables", async () => {
    const { box, writer } = await boxWithRoom();
    await ask(writer, post(box, "a secret of ours"));
    await box.project();
    expect(box.lane.commits.some(({ bytes }) => Buffer.from(bytes).includes("secret of ours"))).toBe(false);
    expect(box.tables.get(factRef("messages", `${room}:2`))?.data).toMatchObject({ text: "a secret of ours" });
  });

  test("a repeated command is told the same and leaves no second event, at any time", async () => {
    const { box, writer } = await boxWithRoom({ maxKeys: 10 });
    const once = post(box, "once");
    const [first, sameTick] = await Promise.all([ask(writer, once), ask(writer, once)]);
    expect(okOf(sameTick)).toEqual(okOf(first));
    for (let i = 0; i < 30; i++) await ask(writer, post(box, `${i}`));
    await box.project();
    expect(okOf(await ask(writer, once))).toEqual(okOf(first));
    box.nowMs += 3_600_000;
    await writer.close();
    const next = await startWriter(box);
    expect(okOf(await ask(next, { ...once, deadlineAt: box.nowMs + 5_000 }))).toEqual(okOf(first));
    expect((await box.foldOfLog()).rows("messages")).toHaveLength(32);
  });

  test("an id is looked up only when it could lie before the writer's memory", async () => {
    const box = memoryBox(roomModel, "rooms.0");
    const asked: string[] = [];
    const source = {
      load: (lane: typeof box.lane.id, refs: readonly FactRef[]) => {
        asked.push(...refs.filter((ref) => ref.startsWith("room_commands/")));
        return box.source.load(lane, refs);
      },
    };
    const first = await startWriter(box, { source });
    await ask(first, create(box));
    expect(asked).toHaveLength(0);
    await first.close();
    box.nowMs += 119_999;
    const soon = await startWriter(box, { source, writer: "soon" });
    await ask(soon, post(box, "dated within two minutes of the last commit before"));
    expect(asked).toHaveLength(1);
    await soon.close();
    box.nowMs += 120_001;
    const later = await startWriter(box, { source, writer: "later" });
    await ask(later, post(box, "dated later than anything before may be"));
    expect(asked).toHaveLength(1);
  });

  test("a key with another payload is refused", async () => {
    const { box, writer } = await boxWithRoom();
    const first = post(box, "one");
    await ask(writer, first);
    expect(codeOf(await ask(writer, post(box, "two", { key: first.key })))).toBe("KeyReused");
  });

  test("an id dated two minutes ahead is taken, one dated later is refused", async () => {
    const { box, writer } = await boxWithRoom();
    const dated = (ms: number) => post(box, "x", { key: { actor: ana, id: derivedId(box.nowMs + ms, `${ms}`) } });
    expect(codeOf(await ask(writer, dated(119_999)))).toBe("ok");
    expect(codeOf(await ask(writer, dated(120_000)))).toBe("ok");
    expect(codeOf(await ask(writer, dated(120_001)))).toBe("KeyDatedAhead");
  });

  test("past its deadline a command is not appended", async () => {
    const { box, writer } = await boxWithRoom();
    const before = box.lane.commits.length;
    expect(codeOf(await ask(writer, post(box, "late", { deadlineAt: box.nowMs - 1 })))).toBe("DeadlinePassed");
    expect(box.lane.commits).toHaveLength(before);
  });

  test("a full queue and a full tail refuse with Busy, and go on when there is room", async () => {
    const { box, writer } = await boxWithRoom({ maxPending: 3, maxTailEvents: 10 });
    const replies = await Promise.all(Array.from({ length: 4 }, (_, i) => ask(writer, post(box, `${i}`))));
    expect(replies.map(codeOf).sort()).toEqual(["Busy", "ok", "ok", "ok"]);
    let reply = await ask(writer, post(box, "more"));
    for (let i = 0; i < 20 && "ok" in reply; i++) reply = await ask(writer, post(box, `${i}`));
    expect(codeOf(reply)).toBe("Busy");
    await box.project();
    await expect.poll(async () => codeOf(await ask(writer, post(box, "again")))).toBe("ok");
  });

  test("with the tables away: retryable, and nothing is lost once they are back", async () => {
    const { box, writer } = await boxWithRoom();
    await writer.close();
    const next = await startWriter(box);
    box.tablesAway = true;
    const message = post(box, "soon");
    expect(codeOf(await ask(next, message))).toBe("Unavailable");
    box.tablesAway = false;
    expect(okOf(await ask(next, message))).toEqual({ room, s: 2, m: 1 });
  });

  test("tables of another version or epoch decide nothing", async () => {
    const { box, writer } = await boxWithRoom();
    await box.project();
    await writer.close();
    await expect(startWriter(box, { factsVersion: "another" })).rejects.toThrow(FactsOfAnotherVersion);
    const lane = { ...box.lane, epoch: "f".repeat(32) };
    await expect(startWriter(box, { lane })).rejects.toMatchObject({ code: "TakeOverFailed" });
    const lost: string[] = [];
    const onLost = (reason: string) => void lost.push(reason);
    const later = await startWriter(box, { factsVersion: factsVersionOf(roomModel), onLost });
    const { load } = box.source;
    Object.assign(box.source, {
      load: async (...asked: Parameters<typeof load>) => {
        const loaded = await load(...asked);
        return { ...loaded, checkpoint: { ...loaded.checkpoint, factsVersion: "newer" } };
      },
    });
    const count = box.lane.commits.length;
    expect(codeOf(await ask(later, post(box, "x")))).toBe("LaneMoved");
    expect(lost).toEqual([expect.stringContaining("another version")]);
    expect(box.lane.commits).toHaveLength(count);
  });

  test("it takes over a lane whose earlier commits are of another epoch, and goes on with hash, term and facts", async () => {
    const { box, writer } = await boxWithRoom();
    await ask(writer, post(box, "before the restore"));
    await writer.close();
    const last = decodeCommit(box.lane.commits.at(-1)?.bytes ?? new Uint8Array());
    const end = { ...last, hash: hashCommit(box.lane.commits.at(-1)?.bytes ?? new Uint8Array()), nowMs: box.nowMs };
    box.lane.appendForeign(encodeEpochBegan(end, "f".repeat(32), new Uint8Array(16)));
    const lane = { ...box.lane, epoch: "f".repeat(32) };
    const next = await startWriter(box, { lane });
    expect(next.position.term).toBe(last.term + 2);
    const reply = await ask(next, post(box, "after it"));
    expect(okOf(reply)).toEqual({ room, s: 3, m: 2 });
    expect(decodePosition("position" in reply ? reply.position : "")).toEqual({ "rooms.0": ["ffffffff", last.n + 3] });
    let before: string | undefined;
    for (const { bytes } of box.lane.commits) {
      const commit = decodeCommit(bytes);
      expect(epochFault(commit, before)).toBeUndefined();
      before = commit.epoch;
    }
    expect(before).toBe(lane.epoch);
  });

  test("when the lane is in another epoch, it appends nothing, says so, and can't take it over again", async () => {
    const lost: string[] = [];
    const { box, writer } = await boxWithRoom({ onLost: (reason: string) => void lost.push(reason) });
    box.lane.endEpoch();
    const count = box.lane.commits.length;
    expect(codeOf(await ask(writer, post(box, "into the void")))).toBe("LaneMoved");
    expect([lost.length, box.lane.commits.length]).toEqual([1, count]);
    await expect(startWriter(box)).rejects.toMatchObject({ code: "EpochOver" });
  });

  test("wrong data is refused with what was wrong", async () => {
    const { box, writer } = await boxWithRoom();
    const reply = await ask(writer, command(box, "postMessage", { room, text: "" }));
    expect(reply).toMatchObject({ refused: { code: "BadInput", detail: [{ at: "text" }] } });
    expect(codeOf(await ask(writer, command(box, "signIn", {})))).toBe("UnknownMethod");
  });

  test("live frames carry what clients get, and end where a membership changes", async () => {
    const { box, writer } = await boxWithRoom();
    const add = command(box, "addMember", { room, user: bob });
    await Promise.all([ask(writer, post(box, "a")), ask(writer, add), ask(writer, post(box, "b"))]);
    const events = box.live
      .filter(({ subject }) => subject === `live.room.${room}`)
      .map(({ body }) => [JSON.parse(body)].flat().map((event: { s: number; t: string }) => `${event.s} ${event.t}`));
    expect(events.flat()).toEqual(["1 roomCreated", "2 messagePosted", "3 memberAdded", "4 messagePosted"]);
    expect(events.some((frame) => frame.slice(0, -1).some((event) => event.includes("member")))).toBe(false);
  });
});

describe("an unclear append", () => {
  test.each(["unclearStored", "unclearNotStored", "wrongLast"] as const)(
    "%s: stored once, answered once",
    async (fault) => {
      const { box, writer } = await boxWithRoom();
      box.lane.failNext(fault, fault);
      expect(okOf(await ask(writer, post(box, "x")))).toEqual({ room, s: 2, m: 1 });
      expect((await box.foldOfLog()).rows("messages")).toHaveLength(2);
    },
  );

  test("held bytes that land later are its own", async () => {
    const { box, writer } = await boxWithRoom();
    box.lane.failNext("unclearStoredLater");
    expect(okOf(await ask(writer, post(box, "x")))).toEqual({ room, s: 2, m: 1 });
    expect(box.lane.release()).toBe(0);
  });

  test("other bytes at its number: the lane is lost, open commands are to be sent again", async () => {
    const { box, writer } = await boxWithRoom();
    const second = await startWriter(box, { writer: "second" });
    const message = post(box, "x");
    expect(codeOf(await ask(writer, message))).toBe("LaneMoved");
    expect(codeOf(await ask(writer, post(box, "y")))).toBe("LaneMoved");
    expect(okOf(await ask(second, message))).toEqual({ room, s: 2, m: 1 });
  });

  test("a refusal by a writer that lost the lane is never told", async () => {
    const { box, writer } = await boxWithRoom();
    await startWriter(box, { writer: "second" });
    expect(
      codeOf(
        await ask(
          writer,
          command(box, "renameRoom", { room, name: "x" }, { key: { actor: bob, id: derivedId(box.nowMs, "b") } }),
        ),
      ),
    ).toBe("LaneMoved");
  });

  test("a writer that steps down in the middle of one still answers", async () => {
    const { box, writer } = await boxWithRoom();
    box.lane.away = true;
    const reply = ask(writer, post(box, "x"));
    await expect.poll(() => box.lane.appends).toBeGreaterThan(2);
    writer.stepDown("another one leads");
    expect(codeOf(await reply)).toBe("LaneMoved");
  });

  test("a full log is a refusal, and the lane goes on after it", async () => {
    const { box, writer } = await boxWithRoom();
    box.lane.failNext({ refused: "full" });
    const message = post(box, "x");
    expect(codeOf(await ask(writer, message))).toBe("Unavailable");
    expect(okOf(await ask(writer, message))).toEqual({ room, s: 2, m: 1 });
  });

  test("with the log away a refusal is not told either", async () => {
    const { box, writer } = await boxWithRoom();
    box.lane.away = true;
    const stranger = { actor: bob, id: derivedId(box.nowMs, "stranger") };
    expect(codeOf(await ask(writer, post(box, "x", { key: stranger })))).toBe("Unavailable");
    box.lane.away = false;
    expect(codeOf(await ask(writer, post(box, "x", { key: stranger })))).toBe("RoomNotFound");
  });
});

describe("around a parked room", () => {
  const unknown = (id: string) => ({
    type: "Later.v9",
    subject: { kind: "room" as const, id },
    by: "x",
    salt: "A",
    data: {},
  });
  const other = "00000000-0000-4000-8000-000000000002";

  /** Appends, as a newer version would have, an event that nobody here knows. */
  function appendLater(box: MemoryBox): void {
    const bytes = box.lane.commits.at(-1)?.bytes ?? new Uint8Array();
    const last = decodeCommit(bytes);
    const key = { actor: ana, id: derivedId(box.nowMs, "later") };
    const entry = encodeEntry({ key, kind: "later", digest: "d".repeat(64), result: null, events: [unknown(room)] });
    const head = { ...last, n: last.n + 1, term: last.term + 1, writer: "newer", prevHash: hashCommit(bytes) };
    box.lane.appendForeign(encodeCommit(head, [entry]));
  }

  test("the lane is taken over, the room is refused, what was done before is told again, and other rooms go on", async () => {
    const { box, writer } = await boxWithRoom();
    const first = post(box, "before");
    const told = await ask(writer, first);
    expect(codeOf(await ask(writer, command(box, "createRoom", { name: "other" }, { subject: other })))).toBe("ok");
    await writer.close();
    appendLater(box);
    for (const isProjected of [false, true]) {
      if (isProjected) await box.project();
      // Nothing of the keys is in memory, and the room's row is in the tables.
      box.nowMs += 3_600_000;
      const next = await startWriter(box, { writer: `next${isProjected}` });
      expect(codeOf(await ask(next, post(box, "after")))).toBe("Parked");
      expect(await ask(next, { ...first, deadlineAt: box.nowMs + 5_000 })).toMatchObject({ ok: okOf(told) });
      expect(codeOf(await ask(next, { ...post(box, "other"), subject: other, data: { room: other, text: "x" } }))).toBe(
        "ok",
      );
      expect(codeOf(await ask(next, command(box, "voidClaim", { room, file: bob })))).toBe("Parked");
      await next.close();
    }
  });
});
