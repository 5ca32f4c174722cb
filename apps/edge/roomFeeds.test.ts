import type { ClientEvent } from "@connect-hub/domain/kernel";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type FeedSocket, maxHeldBytes } from "./roomFeed.ts";
import { type RoomFeeds, roomFeeds } from "./roomFeeds.ts";
import { frameOf } from "./roomFrame.ts";

const room = "r1";
const event = (s: number, t = "messagePosted", d: ClientEvent["d"] = { text: `${s}` }): ClientEvent => ({
  ...{ r: room, s, t, d, by: "u1", at: "" },
});
const removal = (s: number, user: string) => event(s, "memberRemoved", { user, role: "member" });
const edit = (s: number, message: number) => event(s, "messageEdited", { message, text: "x" });

/** Sockets with the topics of the server, as far as the feeds use them. */
function world(headS = 0) {
  const topic = new Set<TestSocket>();
  const subscriptions: string[] = [];
  class TestSocket implements FeedSocket {
    readonly got: (number | string)[] = [];
    heldBytes = 0;
    constructor(readonly user: string) {}
    subscribe(): void {
      topic.add(this);
    }
    unsubscribe(): void {
      topic.delete(this);
    }
    sendEvents(body: Uint8Array): void {
      const parsed = JSON.parse(Buffer.from(body).toString());
      for (const { s, t } of [parsed].flat()) this.got.push(t === "hidden" ? `hidden ${s}` : s);
    }
    left(): void {
      this.got.push("left");
    }
    resync(): void {
      this.got.push("resync");
    }
  }
  const head = { s: headS, fails: false };
  const feeds = roomFeeds({
    publish(_, body) {
      for (const socket of topic) socket.sendEvents(body);
    },
    enter: (which) => void subscriptions.push(`+${which}`),
    leave: (which) => void subscriptions.push(`-${which}`),
    headOf: async () => {
      if (head.fails) throw new Error("away");
      return head.s;
    },
  });
  return { feeds, head, subscriptions, socket: (user: string) => new TestSocket(user) };
}

let feeds: RoomFeeds;
let socket: ReturnType<typeof world>["socket"];
let subscriptions: string[];
let head: ReturnType<typeof world>["head"];
beforeEach(() => {
  ({ feeds, socket, subscriptions, head } = world());
});

const sends = (...events: ClientEvent[]) => feeds.live(room, frameOf(events, events.at(-1)?.s ?? 0));

async function liveReader(user: string, s = 0, from = 1) {
  const one = socket(user);
  const reader = feeds.hold(one, room);
  await reader.since;
  feeds.release(reader, s, from);
  return { one, reader };
}

describe("a reader", () => {
  test("that was held gets what it missed, then what is live, without a hole", async () => {
    const one = socket("u1");
    const reader = feeds.hold(one, room);
    sends(event(1));
    expect(await reader.since).toBe(1);
    sends(event(2), event(3));
    sends(event(4));
    expect(one.got).toEqual([]);
    feeds.release(reader, 2, 1);
    sends(event(5));
    expect(one.got).toEqual([3, 4, 5]);
    expect([reader.phase, feeds.headOf(room)]).toEqual(["live", 5]);
  });

  test("that resumes while live is held again", async () => {
    const { one, reader } = await liveReader("u1");
    sends(event(1));
    const again = feeds.hold(one, room, reader);
    sends(event(2));
    expect(one.got).toEqual([1]);
    feeds.release(again, 1, 1);
    sends(event(3));
    expect(one.got).toEqual([1, 2, 3]);
  });

  test("that begins further than the feed gets nothing again that the log had before its live frame", async () => {
    const { one: other } = await liveReader("u1");
    feeds.logged(event(1), 1);
    feeds.logged(event(2), 2);
    const { one } = await liveReader("u2", 1);
    sends(event(1));
    sends(event(2));
    sends(event(3));
    expect([other.got, one.got]).toEqual([
      [1, 2, 3],
      [2, 3],
    ]);
  });

  test("whose history begins later does not see what becomes of older messages", async () => {
    const { one: old } = await liveReader("u1");
    sends(...[1, 2, 3].map((s) => event(s)));
    const { one: young } = await liveReader("u2", 3, 3);
    sends(edit(4, 1));
    sends(edit(5, 3));
    expect(old.got).toEqual([1, 2, 3, 4, 5]);
    expect(young.got).toEqual(["hidden 4", 5]);
  });

  test("whose history begins later gets nothing from before it, neither held nor live", async () => {
    const { one: old } = await liveReader("u1");
    const young = socket("u2");
    const reader = feeds.hold(young, room);
    await reader.since;
    sends(event(1), event(2));
    feeds.release(reader, 0, 5);
    sends(event(3));
    sends(event(4), event(5));
    sends(event(6));
    expect(old.got).toEqual([1, 2, 3, 4, 5, 6]);
    expect(young.got).toEqual([5, 6]);
  });

  test("that holds too much has to resume", async () => {
    const one = socket("u1");
    const reader = feeds.hold(one, room);
    await reader.since;
    for (let s = 1; s <= 70; s++) sends(event(s, "messagePosted", { text: "x".repeat(16_000) }));
    feeds.release(reader, 0, 1);
    sends(event(71));
    expect([one.got, reader.phase]).toEqual([["resync"], "stopped"]);
  });

  test.each([-1, 0, 1])(
    "holds for one socket what is allowed in all of its rooms, tried with %i bytes more",
    async (more) => {
      const one = socket("u1");
      const readers = ["r1", "r2"].map((id) => feeds.hold(one, id));
      await Promise.all(readers.map(({ since }) => since));
      const say = (r: string, bytes: number) => {
        const said = (text: string): ClientEvent => ({ r, s: 1, t: "messagePosted", d: { text }, by: "u1", at: "" });
        const empty = frameOf([said("")], 1).body.byteLength;
        feeds.live(r, frameOf([said("x".repeat(bytes - empty))], 1));
      };
      say("r1", maxHeldBytes / 2);
      say("r2", maxHeldBytes / 2 + more);
      expect(one.heldBytes).toBe(more > 0 ? maxHeldBytes / 2 : maxHeldBytes + more);
      for (const reader of readers) feeds.release(reader, 0, 1);
      expect(one.got).toEqual(more > 0 ? [1, "resync"] : [1, 1]);
      expect(one.heldBytes).toBe(0);
    },
  );

  test.each(["stop", "drop"] as const)("whose room ends by %s holds nothing", async (how) => {
    const one = socket("u1");
    const reader = feeds.hold(one, room);
    await reader.since;
    sends(event(1));
    expect(one.heldBytes).toBeGreaterThan(0);
    feeds[how](reader);
    sends(event(2));
    expect(one.heldBytes).toBe(0);
  });

  test("that is held while its room is interrupted is told so once it is released, and only then", async () => {
    const { one: live } = await liveReader("u1");
    const one = socket("u2");
    const reader = feeds.hold(one, room);
    await reader.since;
    sends(event(1));
    feeds.interrupt(room);
    sends(event(2));
    expect([live.got, one.got]).toEqual([[1, "resync"], []]);
    feeds.release(reader, 1, 1);
    sends(event(3));
    expect([one.got, reader.phase]).toEqual([["resync"], "stopped"]);
  });

  test("that was stopped gets nothing until it resumes", async () => {
    const { one, reader } = await liveReader("u1");
    feeds.stop(reader);
    sends(event(1));
    const again = feeds.hold(one, room, reader);
    sends(event(2));
    feeds.release(again, 1, 1);
    expect(one.got).toEqual([2]);
  });
});

describe("a room with more readers than can be written to at once", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    ({ feeds, socket } = world());
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const crowd = () => Promise.all(Array.from({ length: 200 }, (_, k) => liveReader(`u${k}`)));

  test("is published in turns, each with what was gathered", async () => {
    const [{ one } = await liveReader("")] = await crowd();
    for (const s of [1, 2, 3]) sends(event(s));
    expect(one.got).toEqual([1]);
    vi.advanceTimersByTime(5);
    expect(one.got).toEqual([1, 2, 3]);
  });

  test("still gives who is removed all that came before, and nothing after", async () => {
    const [{ one } = await liveReader(""), { one: other } = await liveReader("")] = await crowd();
    sends(event(1));
    sends(event(2));
    sends(event(3), removal(4, "u1"));
    sends(event(5));
    vi.advanceTimersByTime(5);
    expect(other.got).toEqual([1, 2, 3, 4, "left"]);
    expect(one.got).toEqual([1, 2, 3, 4, 5]);
  });

  test("gives nothing of the gathered to who enters after it", async () => {
    await crowd();
    sends(event(1));
    sends(event(2));
    const { one } = await liveReader("late", 2);
    vi.advanceTimersByTime(5);
    sends(event(3));
    vi.advanceTimersByTime(5);
    expect(one.got).toEqual([3]);
  });

  test("says no head that its readers don't have", async () => {
    const [{ one } = await liveReader("")] = await crowd();
    sends(event(1));
    sends(event(2));
    expect(feeds.headOf(room)).toBe(2);
    expect(one.got).toEqual([1, 2]);
  });
});

describe("who is removed", () => {
  test("gets the removal, then nothing; others go on", async () => {
    const { one } = await liveReader("u1");
    const { one: other } = await liveReader("u2");
    sends(event(1), removal(2, "u2"));
    sends(event(3));
    expect(other.got).toEqual([1, 2, "left"]);
    expect(one.got).toEqual([1, 2, 3]);
  });

  test("while held gets everything up to the removal once its resume is through", async () => {
    await liveReader("u1");
    const held = socket("u2");
    const reader = feeds.hold(held, room);
    await reader.since;
    sends(event(1));
    sends(removal(2, "u2"));
    sends(event(3));
    feeds.release(reader, 0, 1);
    sends(event(4));
    expect([held.got, reader.phase]).toEqual([[1, 2, "left"], "gone"]);
  });

  test("is cut by the log at once, when the live frame got lost", async () => {
    const { one } = await liveReader("u2");
    feeds.logged(event(1), 1);
    feeds.logged(removal(2, "u2"), 2);
    expect(one.got).toEqual([1, 2, "left"]);
  });

  test("and comes back is a new reader", async () => {
    await liveReader("u1");
    const two = socket("u2");
    const first = feeds.hold(two, room);
    await first.since;
    sends(removal(1, "u2"));
    const second = feeds.hold(two, room, first);
    expect(second).not.toBe(first);
    feeds.release(first, 0, 1);
    sends(event(2, "memberAdded", { user: "u2", role: "member" }), event(3));
    feeds.release(second, 2, 2);
    sends(event(4));
    expect(two.got).toEqual([1, "left", 3, 4]);
  });
});

describe("a feed", () => {
  test("is subscribed while somebody reads", async () => {
    const { reader } = await liveReader("u1");
    const { reader: other } = await liveReader("u2");
    feeds.drop(reader);
    expect(subscriptions).toEqual(["+r1"]);
    feeds.drop(other);
    feeds.drop(other);
    expect(subscriptions).toEqual(["+r1", "-r1"]);
    expect(feeds.headOf(room)).toBeUndefined();
  });

  test("publishes from the log what no live frame brought, at the second sweep", async () => {
    const { one } = await liveReader("u1");
    feeds.logged(event(1), 1);
    feeds.sweep();
    expect(one.got).toEqual([]);
    feeds.sweep();
    expect(one.got).toEqual([1]);
    sends(event(1));
    sends(event(2));
    feeds.logged(event(2), 2);
    expect(one.got).toEqual([1, 2]);
  });

  test("begins at the room's head, whatever came while it was looked up", async () => {
    head.s = 5;
    const one = socket("u1");
    const reader = feeds.hold(one, room);
    sends(event(5));
    feeds.logged(event(6), 6);
    sends(event(7));
    expect(await reader.since).toBe(7);
    feeds.release(reader, 5, 1);
    expect(one.got).toEqual([6, 7]);
  });

  test("that can't begin tells who waits, and the next one tries anew", async () => {
    head.fails = true;
    await expect(feeds.hold(socket("u1"), room).since).rejects.toThrow("away");
    head.fails = false;
    const { one } = await liveReader("u1");
    sends(event(1));
    expect(one.got).toEqual([1]);
    expect(subscriptions).toEqual(["+r1", "-r1", "+r1"]);
  });
});
