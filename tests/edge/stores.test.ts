import type { RoomEvent } from "@connect-hub/protocol";
import { type ChatEvent, type ConnectOptions, connect, type ResetMark, type RoomView } from "@connect-hub/sdk";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Fate, ModelHub } from "../support/modelHub.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A client of a model hub; `settle` lets everything that is under way come to its end. */
function world(options: Partial<ConnectOptions> = {}) {
  const hub = new ModelHub();
  hub.append("roomCreated", { type: "group", name: "Engine", members: [{ user: hub.me, role: "member" }] });
  const client = connect({ url: "http://hub", token: "t", WebSocket: hub.Socket, random: () => 0.5, ...options });
  const settle = async (seconds = 1): Promise<void> => {
    for (let tenths = seconds * 10; tenths > 0; tenths--) {
      hub.deliver();
      await vi.advanceTimersByTimeAsync(100);
    }
  };
  return { hub, client, settle };
}

/** A world that is online, and the store of its room. */
async function online(options: Partial<ConnectOptions> = {}) {
  const made = world(options);
  const room = made.client.room(made.hub.room);
  await made.settle();
  return { ...made, room };
}

const texts = ({ messages }: RoomView) =>
  messages.map(({ status, text }) => (status === "sent" ? text : `${status} ${text}`));
const numbers = ({ events }: RoomView) => events.map(({ s }) => s);
const refused = { code: 402, name: "NotAllowed", retry: false };

describe("a store", () => {
  test("shows what is there, follows what comes, and folds edits and deletions in", async () => {
    const { hub, room, settle } = await online();
    hub.append("messagePosted", { text: "one" });
    hub.append("messagePosted", { text: "two" });
    hub.append("messageEdited", { message: 2, text: "ONE" });
    hub.append("messageDeleted", { message: 3 });
    hub.append("roomRenamed", { name: "Boiler" });
    await settle();
    expect(texts(room.view)).toEqual(["ONE", null]);
    expect(room.view.messages).toMatchObject([{ edited: true }, { deleted: true, files: [] }]);
    expect([numbers(room.view), room.view.name, room.view.status]).toEqual([[1, 2, 3, 4, 5, 6], "Boiler", "live"]);
  });

  test("pages back, without holes, to the beginning; also one that was made when events had come already", async () => {
    const { hub, client, settle } = world({ history: 5 });
    for (let at = 1; at <= 20; at++) hub.append("messagePosted", { text: `${at}` });
    hub.append("messageEdited", { message: 2, text: "first" });
    await settle();
    const room = client.room(hub.room);
    expect([room.view.status, numbers(room.view)]).toEqual(["live", []]);
    await settle();
    expect([numbers(room.view), room.view.hasOlder]).toEqual([[18, 19, 20, 21, 22], true]);
    const paged = room.older(15);
    hub.append("messagePosted", { text: "meanwhile" });
    await settle();
    expect([await paged, numbers(room.view)]).toEqual([true, Array.from({ length: 21 }, (_, at) => at + 3)]);
    const last = room.older();
    await settle();
    expect([await last, room.view.hasOlder, texts(room.view)[0]]).toEqual([false, false, "first"]);
  });

  test("tells who is in the room, and goes on telling", async () => {
    const { hub, room, settle } = await online();
    const asked = room.members();
    await settle();
    expect((await asked).map(({ name }) => name)).toEqual(["Ada"]);
    hub.append("memberAdded", { user: "00000000-0000-4000-8000-00000000000c", role: "member" });
    await settle();
    expect(room.view.members).toMatchObject([
      { id: hub.me, name: "Ada", role: "member" },
      { name: "name of 00000000-0000-4000-8000-00000000000c" },
    ]);
    hub.append("memberLeft", { user: "00000000-0000-4000-8000-00000000000c", role: "member" });
    await settle();
    expect(room.view.members?.length).toBe(1);
  });

  test("keeps what was shown when the user is put out, and begins anew when they come back", async () => {
    const { hub, room, settle } = await online();
    hub.append("messagePosted", { text: "before" });
    hub.remove();
    await settle();
    expect([room.view.status, texts(room.view), room.view.hasOlder]).toEqual(["outside", ["before"], false]);
    const posted = expect(room.post("from outside")).rejects.toMatchObject({ name: "RoomNotFound" });
    await settle();
    await posted;
    expect(texts(room.view)).toEqual(["before", "failed from outside"]);
    hub.append("messagePosted", { text: "not for ada" });
    hub.admit();
    hub.append("messagePosted", { text: "after" });
    await settle();
    expect([room.view.status, numbers(room.view)]).toEqual(["live", [5, 6]]);
  });

  test("calls its subscribers with each new view until they don't want it", async () => {
    const { hub, room, settle } = await online();
    const seen: number[] = [];
    const stop = room.subscribe((view) => void seen.push(view.events.length));
    hub.append("messagePosted", { text: "one" });
    await settle(0.1);
    stop();
    hub.append("messagePosted", { text: "two" });
    await settle();
    expect(seen).toEqual([2]);
    expect(room.view.events.length).toBe(3);
  });

  test("holds the newest thousand events at least and two thousand at most while nobody is subscribed", async () => {
    const { hub, room, settle } = await online();
    for (let at = 2; at <= 2_001; at++) hub.append("messagePosted", { text: `${at}` });
    await settle();
    expect([numbers(room.view).at(0), room.view.events.length, room.view.hasOlder]).toEqual([1_002, 1_000, true]);
  });
});

describe("a post", () => {
  test("is shown at once, and once, whichever of its event and its answer comes first", async () => {
    for (const fate of ["now", "early", "lost", "twice"] as const) {
      const { hub, room, settle } = await online();
      const seen: (string | null)[][] = [];
      room.subscribe((view) => void seen.push(texts(view)));
      hub.fate = fate;
      const posted = room.post("Hello.", { key: "01968a5e-7c1b-7abc-9def-0123456789ab" });
      expect(texts(room.view)).toEqual(["pending Hello."]);
      for (let at = 0; at < 9; at++) {
        hub.deliver(1);
        await vi.advanceTimersByTimeAsync(10);
      }
      expect([await posted, texts(room.view)]).toEqual([{ room: hub.room, s: 2, m: 1 }, ["Hello."]]);
      await settle(20);
      expect(seen.filter(({ length }) => length !== 1)).toEqual([]);
      expect(room.view.messages).toMatchObject([{ s: 2, key: "01968a5e-7c1b-7abc-9def-0123456789ab" }]);
      expect(numbers(room.view)).toEqual([1, 2]);
    }
  });

  test("that is refused stays there with the error, until it is sent again or forgotten", async () => {
    const { hub, room, settle } = await online();
    hub.refusal = refused;
    void room.post("one");
    void room.post("two");
    await settle();
    expect(texts(room.view)).toEqual(["failed one", "failed two"]);
    hub.refusal = undefined;
    const [one, two] = room.view.messages;
    if (one?.status !== "failed" || two?.status !== "failed") throw new Error("they failed");
    expect(one.error?.name).toBe("NotAllowed");
    one.retry();
    two.discard();
    expect(texts(room.view)).toEqual(["pending one"]);
    await settle();
    expect(texts(room.view)).toEqual(["one"]);
    expect(hub.log.filter(({ t }) => t === "messagePosted").length).toBe(1);
  });

  test("from another device that says the same is not taken for it in the end", async () => {
    const { hub, room, settle } = await online();
    void room.post("yes");
    hub.append("messagePosted", { text: "yes" }, hub.me);
    await settle();
    expect(texts(room.view)).toEqual(["yes", "yes"]);
    hub.refusal = refused;
    void room.post("no");
    hub.append("messagePosted", { text: "no" }, hub.me);
    await settle();
    expect(texts(room.view)).toEqual(["yes", "yes", "no", "failed no"]);
  });

  test("made without a line is sent when there is one", async () => {
    const { hub, room, settle } = await online();
    hub.cut();
    void room.post("offline");
    expect(texts(room.view)).toEqual(["pending offline"]);
    await settle(3);
    expect(texts(room.view)).toEqual(["offline"]);
  });
});

describe("a loop over events", () => {
  async function read(items: AsyncIterable<ChatEvent | ResetMark>, into: (number | "reset")[]): Promise<void> {
    for await (const event of items) into.push(event.t === "reset" ? "reset" : event.s);
    into.push(-1);
  }

  test("gets each event from now on, knows of a new beginning, and ends with the client", async () => {
    const { hub, client, room, settle } = await online();
    const got: (number | "reset")[] = [];
    const reading = read(room.events(), got);
    hub.append("messagePosted", { text: "one" });
    hub.append("messagePosted", { text: "two" });
    await settle();
    hub.isForgetful = true;
    hub.cut();
    await settle(3);
    expect(got).toEqual([2, 3, "reset", 1, 2, 3]);
    client.close();
    await reading;
    expect(got.at(-1)).toBe(-1);
    await expect(room.loaded()).rejects.toMatchObject({ name: "ClientClosed" });
  });

  test("that nobody runs holds a thousand events, then a reset in their place", async () => {
    const { hub, room, settle } = await online();
    const items = room.events();
    for (let at = 0; at < 1_000; at++) hub.append("messagePosted", { text: "" });
    await settle();
    hub.append("messagePosted", { text: "one too many" });
    await settle();
    hub.append("messagePosted", { text: "next" });
    await settle();
    expect([(await items.next()).value, (await items.next()).value]).toMatchObject([{ t: "reset" }, { s: 1_003 }]);
    await items.return?.();
    expect((await items.next()).done).toBe(true);
  });
});

/** What a store of all these events has to show. */
function folded(events: readonly RoomEvent[]): string[] {
  const shown = new Map<number, string>();
  for (const { s, t, d } of events) {
    const { message = 0, text = null } = d as { readonly message?: number; readonly text?: string | null };
    if (t === "messagePosted") shown.set(s, `${s} ${text}`);
    if (t === "messageEdited" && shown.has(message)) shown.set(message, `${message} ${text} edited`);
    if (t === "messageDeleted" && shown.has(message)) shown.set(message, `${message} deleted`);
  }
  return [...shown.values()];
}

const shownBy = ({ messages }: RoomView): string[] =>
  messages.map((message) => {
    if (message.status !== "sent") return `${message.status} ${message.text}`;
    if (message.deleted) return `${message.s} deleted`;
    return `${message.s} ${message.text}${message.edited ? " edited" : ""}`;
  });

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("post" as const), text: fc.constantFrom("a", "b") }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("deliver" as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("theirs" as const, "edit" as const, "delete" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("fate" as const),
      fate: fc.constantFrom<Fate>("now", "lost", "twice", "early"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("cut", "wait", "older", "forgetful", "mindful", "epoch", "refuse", "accept", "out", "in"),
    }),
  },
);

test("whatever is cut, doubled, late, lost or begun anew: the store is the fold of the server's events", async () => {
  const seen = { resets: 0, failed: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom(3, 50), async (steps, history) => {
      const { hub, client, room, settle } = await online({ history });
      let posts = 0;
      let wasOut = false;
      const deleted = new Set<number>();
      const wrong: string[] = [];
      room.subscribe((view) => {
        const holes = view.events.filter(({ s }, at) => at > 0 && s !== (view.events[at - 1]?.s ?? 0) + 1);
        if (holes.length > 0) wrong.push(`hole before ${holes[0]?.s}`);
        const keys = view.messages.flatMap(({ key }) => key ?? []);
        if (new Set(keys).size !== keys.length) wrong.push("one key twice");
        const mine = view.messages.filter(({ by }) => by === hub.me).length;
        if (mine > posts) wrong.push(`${mine} shown of ${posts} posts`);
        const isWhole = view.status === "live" && !view.hasOlder && view.events.length > 0 && !wasOut;
        if (isWhole && mine < posts) wrong.push(`only ${mine} shown of ${posts} posts`);
        if (view.status === "loading") seen.resets++;
        if (view.messages.some(({ status }) => status === "failed")) seen.failed++;
      });
      for (const each of steps) {
        const newest = hub.log.findLast(({ t, s }) => t === "messagePosted" && !deleted.has(s))?.s;
        if (each.do === "post") {
          posts++;
          void room.post(each.text);
        } else if (each.do === "deliver") hub.deliver(each.count);
        else if (each.do === "theirs") hub.append("messagePosted", { text: "a" });
        else if (each.do === "edit" && newest !== undefined)
          hub.append("messageEdited", { message: newest, text: "e" });
        else if (each.do === "delete" && newest !== undefined) {
          hub.append("messageDeleted", { message: newest });
          deleted.add(newest);
        } else if (each.do === "fate") hub.fate = each.fate;
        else if (each.do === "cut") hub.cut();
        else if (each.do === "wait") await vi.advanceTimersByTimeAsync(300);
        else if (each.do === "older") room.older(4).catch(() => undefined);
        else if (each.do === "forgetful") hub.isForgetful = true;
        else if (each.do === "mindful") hub.isForgetful = false;
        else if (each.do === "refuse") hub.refusal = refused;
        else if (each.do === "accept") hub.refusal = undefined;
        else if (each.do === "epoch") {
          hub.epoch = hub.epoch === "a1b2c3d4" ? "b1b2c3d4" : "c1b2c3d4";
          hub.cut();
        } else if (each.do === "out" && hub.from !== undefined) {
          wasOut = true;
          hub.remove();
        } else if (each.do === "in" && hub.from === undefined) hub.admit();
        await vi.advanceTimersByTimeAsync(0);
      }
      hub.fate = "now";
      hub.isForgetful = false;
      if (hub.from === undefined) hub.admit();
      await settle(30);
      for (let at = 0; at < 40 && room.view.hasOlder; at++) {
        room.older(100).catch(() => undefined);
        await settle(0.3);
      }
      const sent = shownBy(room.view).filter((line) => !line.startsWith("failed"));
      // Who was out while the line was dead, and missed nothing by it, keeps what was seen before.
      const first = wasOut ? Math.min(hub.from ?? 1, numbers(room.view)[0] ?? 1) : (hub.from ?? 1);
      const theirs = hub.log.slice(first - 1);
      expect(sent).toEqual(folded(theirs));
      expect(numbers(room.view)).toEqual(theirs.map(({ s }) => s));
      expect(wrong).toEqual([]);
      client.close();
    }),
    { numRuns: 300, examples: [[[{ do: "out" }, { do: "deliver", count: 1 }, { do: "cut" }], 3]] },
  );
  expect([seen.resets > 0, seen.failed > 0]).toEqual([true, true]);
}, 60_000);
