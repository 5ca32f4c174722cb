import { beforeAll, describe, expect, test } from "vitest";
import type { DomainEvent, StoredCommit } from "../kernel/index.ts";
import { roomModel } from "../room/index.ts";
import { golden } from "../testing/golden.ts";
import { LogBuilder, type MemoryLane, memoryLane, memoryVault } from "../testing/index.ts";
import {
  atStart,
  eventFilter,
  headOf,
  inWords,
  type LanePosition,
  parseRights,
  positionOf,
  type ReadableLane,
  readAfter,
  type ServiceRights,
  visibleTypes,
} from "./index.ts";

const [first, second, third] = ["1", "2", "3"].map((digit) => digit.repeat(32)) as [string, string, string];
const vault = memoryVault();
const signal = new AbortController().signal;

const said = (room: string, text: string): DomainEvent => ({
  type: "MessagePosted.v1",
  subject: { kind: "room", id: room },
  s: 1,
  m: 1,
  by: "ada",
  data: { body: { text } },
});

/** A lane that began in `first`; `epochs` says after which commit it went on in which other one, `to` where it ends. */
async function laneOf(epochs: readonly (readonly [after: number, epoch: string])[], to: number): Promise<MemoryLane> {
  const log = new LogBuilder({ lane: "rooms.0", epoch: first, model: roomModel, vault });
  const lane = memoryLane({ id: "rooms.0", epoch: epochs.at(-1)?.[1] ?? first });
  for (let n = 1; n <= to; n++) {
    const turn = epochs.find(([after]) => after === n - 1)?.[1];
    lane.appendForeign(turn === undefined ? await log.commit([[said("a", `${n}`)]]) : log.beginEpoch(turn));
  }
  return lane;
}

/** The number of the first commit that is read after a position. */
async function nextAfter(lane: ReadableLane, after: LanePosition): Promise<number | undefined> {
  for await (const [commit] of readAfter(lane, after, signal)) return commit?.n;
  return undefined;
}

describe("reading on after a position", () => {
  const at = (epoch: string, n: number): LanePosition => [epoch.slice(0, 8), n];

  test("goes on after it, in whatever epoch the lane is now, as long as the commit is the same", async () => {
    const lane = await laneOf([[6, second]], 10);
    expect(await nextAfter(lane, atStart)).toBe(1);
    expect(await nextAfter(lane, at(first, 4))).toBe(5);
    expect(await nextAfter(lane, at(first, 6))).toBe(7);
    expect(await nextAfter(lane, at(second, 8))).toBe(9);
    expect(await headOf(lane, signal)).toEqual(at(second, 10));
    expect(await headOf(await laneOf([], 0), signal)).toEqual(atStart);
  });

  test("goes back to where a restored lane went on, also when that lane is shorter now", async () => {
    expect(await nextAfter(await laneOf([[6, second]], 20), at(first, 9))).toBe(7);
    expect(await nextAfter(await laneOf([[6, second]], 8), at(first, 30))).toBe(7);
    const twice = await laneOf(
      [
        [6, second],
        [9, third],
      ],
      12,
    );
    expect(await nextAfter(twice, at(second, 11))).toBe(10);
    expect(await nextAfter(twice, at(first, 11))).toBe(7);
  });

  test("goes on after a commit that is archived when the epoch after it is there", async () => {
    const whole = await laneOf([[6, second]], 10);
    const hole = Object.assign(new Error("archived"), { code: "LaneHasHole" });
    const cut: ReadableLane = {
      ...{ id: whole.id, epoch: whole.epoch, lastNumber: () => whole.lastNumber() },
      async *read(from, until) {
        if (from < 7) throw hole;
        yield* whole.read(from, until);
      },
    };
    expect(await nextAfter(cut, at(first, 6))).toBe(7);
    await expect(nextAfter(cut, at(first, 5))).rejects.toMatchObject({ code: "PositionLost" });
    await expect(nextAfter(cut, atStart)).rejects.toMatchObject({ code: "PositionLost" });
  });

  test("says when there is nothing of a position's epoch, and when a position is ahead of the lane", async () => {
    const lane = await laneOf([[6, second]], 10);
    await expect(nextAfter(lane, at(third, 3))).rejects.toMatchObject({ code: "PositionLost" });
    await expect(nextAfter(lane, at(second, 11))).rejects.toMatchObject({ code: "PositionAhead" });
  });
});

describe("rights", () => {
  const base = { contexts: null, types: null, rooms: null, addedAt: "2026-01-01T00:00:00.000Z" };
  const room = "0192f0c4-8e00-7000-8000-000000000001";
  const seen = (rights: Partial<ServiceRights>, asked?: string[]) =>
    Object.fromEntries(visibleTypes("s", { ...base, ...rights }, asked));

  test("a context is all of its events in their newest versions, and nothing else", () => {
    expect(Object.keys(seen({ contexts: ["rooms"] }))).toEqual(["rooms"]);
    expect(seen({ contexts: ["rooms"] }).rooms).toEqual(Object.keys(roomModel.events));
    expect(() => seen({ contexts: ["rooms"] }, ["AccountClosed"])).toThrow(/may see all of rooms/);
  });

  test("types and rooms narrow it; an event that says of no room which it is is not one of a room", () => {
    expect(seen({ types: ["MessagePosted", "AccountClosed"] })).toEqual({
      accounts: ["AccountClosed.v1"],
      rooms: ["MessagePosted.v1"],
    });
    expect(Object.keys(seen({ rooms: [room] }))).toEqual(["rooms"]);
    expect(() => seen({ rooms: [room] }, ["FileClaimed"])).toThrow(/may not see FileClaimed/);
    expect(inWords({ ...base, types: ["MessagePosted"], rooms: [room] })).toBe("MessagePosted of 1 room(s)");
  });

  test("are stored as docs/format.md says", () => {
    const rights: ServiceRights = { ...base, types: ["MessagePosted"], rooms: [room] };
    expect(parseRights("s", golden("service rights"))).toEqual(rights);
    expect(JSON.stringify(rights)).toBe(golden("service rights"));
    expect(() => parseRights("s", undefined)).toThrow(/service add s/);
    for (const text of ["{", "{}", JSON.stringify({ ...rights, types: [] })])
      expect(() => parseRights("s", text)).toThrow(/can't be read.*service add s/);
  });
});

describe("the filter", () => {
  let stored: StoredCommit[];
  beforeAll(async () => {
    const log = new LogBuilder({ lane: "rooms.0", epoch: first, model: roomModel, vault });
    const old: DomainEvent = {
      ...{ type: "MessageEdited.v1", subject: { kind: "room", id: "a" }, s: 2, by: "ada" },
      data: { message: 1, edits: [], body: { text: "better" } },
    };
    const events = [[said("a", "one"), said("b", "two")], [old]];
    stored = [{ n: 1, bytes: await log.commit(events) }];
  });
  const events = (types: string[], { rooms, open = true }: { rooms?: string[]; open?: boolean } = {}) => {
    const filter = eventFilter({ model: roomModel, types, rooms });
    return Promise.all(
      stored.map(async (one) => {
        const commit = filter.commitOf(one);
        const keys = commit === undefined ? [] : commit.entries.flatMap((entry) => entry.events);
        const ids = keys.map(({ data }) => (data.body as unknown as { k: string }).k);
        return commit === undefined ? [] : filter.events(commit, open ? await vault.byId(ids) : undefined);
      }),
    ).then((all) => all.flat());
  };

  test("takes what is wanted, each with its place, and reads old versions as the newest", async () => {
    expect(await events(["MessagePosted.v1"], { rooms: ["b"] })).toMatchObject([
      { id: "rooms.0:11111111:1:1", n: 1, index: 1, subject: { id: "b" }, data: { body: { text: "two" } }, sealed: [] },
    ]);
    expect(await events(["MessageEdited.v2"])).toMatchObject([
      { index: 2, type: "MessageEdited.v2", data: { files: [], body: { text: "better" } } },
    ]);
    expect(await events(["RoomRenamed.v1"])).toEqual([]);
  });

  test("leaves sealed what it has no keys for", async () => {
    expect(await events(["MessagePosted.v1"], { open: false })).toMatchObject([
      { data: { body: null }, sealed: ["body"] },
      { data: { body: null }, sealed: ["body"] },
    ]);
  });

  test("says of an event that was altered that it can't be read, and gives nothing of it", async () => {
    const [one] = stored;
    const text = Buffer.from(one?.bytes ?? []).toString();
    const altered = { n: 1, bytes: Buffer.from(text.replace('"id":"b"', '"id":"c"')) };
    const filter = eventFilter({ model: roomModel, types: ["MessagePosted.v1"], rooms: ["c"] });
    const commit = filter.commitOf(altered);
    if (commit === undefined) throw new Error("the filter found nothing");
    const ids = commit.entries.flatMap((entry) =>
      entry.events.map(({ data }) => (data.body as unknown as { k: string }).k),
    );
    expect(filter.events(commit, await vault.byId(ids))).toMatchObject([
      { subject: { id: "c" }, data: {}, unreadable: expect.stringContaining("does not open") },
    ]);
    expect(positionOf(altered)).toEqual(["11111111", 1]);
  });
});
