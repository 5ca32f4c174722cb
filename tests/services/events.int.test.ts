import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DomainEvent, Lane } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, memoryVault } from "@connect-hub/domain/testing";
import {
  connectEvents,
  type Events,
  type Handler,
  ServiceError,
  type ServiceEvent,
  type SubscribeOptions,
} from "@connect-hub/events";
import {
  archivePast,
  closeEpoch,
  connectNats,
  type NatsLink,
  openLane,
  provisionLanes,
  serviceRegistry,
} from "@connect-hub/jetstream";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { cutLine } from "../support/cutLine.ts";
import { memoryDoor } from "../support/memoryDoor.ts";

const prefix = `t${randomBytes(6).toString("hex")}-`;
const vault = memoryVault();
const archiveDir = mkdtempSync(join(tmpdir(), "connect-hub-events-"));
const open: Events[] = [];
let link: NatsLink;
let door: { close(): Promise<void> };
let lane: Lane;
let log: LogBuilder;
let n = 0;
let durables = 0;

beforeAll(async () => {
  link = await connectNats({ url: inject("natsUrl"), name: "events test" });
  await provisionLanes(link, { prefix, lanes: ["accounts.0", "rooms.0"], replicas: 1, maxBytes: 16 * 1024 ** 2 });
  lane = await openLane(link, { prefix, id: "rooms.0" });
  log = new LogBuilder({ lane: "rooms.0", epoch: lane.epoch, model: roomModel, vault });
  const rights = { contexts: null, types: null, rooms: null, addedAt: "2026-01-01T00:00:00.000Z" };
  const registry = serviceRegistry(link, prefix);
  const types = ["MessagePosted", "MessageEdited", "RoomRenamed"];
  await registry.write("reader", JSON.stringify({ ...rights, types }), 1);
  await registry.write("whole", JSON.stringify({ ...rights, contexts: ["rooms"] }), 1);
  door = await memoryDoor({ url: inject("natsUrl"), prefix, vault, archiveDir });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((events) => events.close()));
});
afterAll(async () => {
  await door.close();
  await link.close();
  rmSync(archiveDir, { recursive: true });
});

async function connect(name = "reader", url = inject("natsUrl")): Promise<Events> {
  const events = await connectEvents({ url, user: `svc-${name}`, password: "x", prefix });
  open.push(events);
  return events;
}

function durable(): string {
  durables += 1;
  return `durable-${durables}`;
}

const said = (room: string, text: string, s: number): DomainEvent => ({
  type: "MessagePosted.v1",
  subject: { kind: "room", id: room },
  s,
  m: s,
  by: "ada",
  data: { body: { text } },
});

/** Appends a commit with these events; its number. */
async function append(...events: DomainEvent[]): Promise<number> {
  expect(await lane.append(await log.commit(events.map((event) => [event])), n)).toBe("stored");
  n += 1;
  return n;
}

/** Appends one message to each of the rooms, over and over. */
async function chatter(rooms: readonly string[], rounds: number, word = "m"): Promise<void> {
  for (let round = 1; round <= rounds; round++)
    await append(...rooms.map((room) => said(room, `${word}${round}`, round)));
}

const textOf = ({ data }: ServiceEvent): unknown => (data.body as { text: string } | null)?.text;
const fast = { backOffMs: 5, maxBackOffMs: 20, leaseMs: 500 };
const within = { timeout: 10_000, interval: 10 };

/** A handler that keeps what it got, by room. */
function keeper() {
  const got = new Map<string, unknown[]>();
  const handler: SubscribeOptions["handler"] = (events) => {
    for (const event of events) got.set(event.subject.id, [...(got.get(event.subject.id) ?? []), textOf(event)]);
  };
  return { got, handler };
}

test("events come opened, in order, from where it was said; a stopped durable goes on where it was", async () => {
  await chatter(["a", "b"], 30);
  const name = durable();
  const first = keeper();
  const one = await (await connect()).subscribe({
    durable: name,
    from: "start",
    types: ["MessagePosted"],
    ...fast,
    handler: first.handler,
  });
  const all = Array.from({ length: 30 }, (_, index) => `m${index + 1}`);
  await vi.waitFor(
    () =>
      expect(first.got).toEqual(
        new Map([
          ["a", all],
          ["b", all],
        ]),
      ),
    within,
  );
  await one.close();
  const position = await one.position();
  await chatter(["a"], 2, "later");
  const second = keeper();
  await (await connect()).subscribe({
    durable: name,
    from: "start",
    types: ["MessagePosted.v1"],
    ...fast,
    handler: second.handler,
  });
  await vi.waitFor(() => expect(second.got).toEqual(new Map([["a", ["later1", "later2"]]])), within);
  const third = keeper();
  await (await connect()).subscribe({ durable: durable(), from: { position }, ...fast, handler: third.handler });
  await vi.waitFor(() => expect(third.got).toEqual(second.got), within);
});

test("a service of whole contexts gets what is sealed as null, and is told so; one from now on gets nothing older", async () => {
  const got: ServiceEvent[] = [];
  const subscription = await (await connect("whole")).subscribe({
    durable: durable(),
    from: "now",
    ...fast,
    handler: (events) => void got.push(...events),
  });
  await append(said("a", "secret", 50));
  await vi.waitFor(() => expect(got).toHaveLength(1), within);
  expect(got[0]).toMatchObject({
    id: `rooms.0:${lane.epoch.slice(0, 8)}:${n}:0`,
    n,
    index: 0,
    type: "MessagePosted.v1",
    s: 50,
    by: "ada",
    data: { body: null },
    sealed: ["body"],
  });
  await vi.waitFor(async () => expect(await subscription.position()).not.toBe("p1.e30"), within);
});

test("what fails is tried again; a subject that goes on failing is parked, others go on, and it can be tried again in order", async () => {
  const name = durable();
  const { got, handler } = keeper();
  let broken = true;
  let once = true;
  const troubles: string[] = [];
  const subscription = await (await connect()).subscribe({
    ...{ durable: name, from: "now", maxAttempts: 3, ...fast },
    onTrouble: (error) => troubles.push(error instanceof Error ? error.message : String(error)),
    handler(events, context) {
      const [event] = events;
      if (event?.subject.id === "flaky" && once) {
        once = false;
        throw new Error("not yet");
      }
      if (event?.subject.id === "bad" && textOf(event) === "m2" && broken) throw new Error("no such thing");
      return handler(events, context);
    },
  });
  await chatter(["bad", "good", "flaky"], 4);
  await vi.waitFor(() => expect(got.get("flaky")).toEqual(["m1", "m2", "m3", "m4"]), within);
  expect(got.get("good")).toEqual(["m1", "m2", "m3", "m4"]);
  expect(got.get("bad")).toEqual(["m1"]);
  await vi.waitFor(async () => expect(await subscription.parked()).toHaveLength(1), within);
  const parked = await subscription.parked();
  expect(parked).toMatchObject([
    {
      subject: { kind: "room", id: "bad" },
      lane: "rooms.0",
      event: { type: "MessagePosted.v1", index: 0 },
      attempts: 3,
      reason: "no such thing",
    },
  ]);
  expect(troubles.filter((said) => said === "not yet")).toHaveLength(1);
  expect(troubles.filter((said) => said === "no such thing")).toHaveLength(3);
  expect(troubles.at(-1)).toBe(`room bad is parked since ${parked[0]?.event.id}: no such thing`);
  await subscription.retry({ kind: "room", id: "bad" });
  await vi.waitFor(
    async () => expect((await subscription.parked())[0]?.parkedAt).not.toBe(parked[0]?.parkedAt),
    within,
  );
  await subscription.close();
  // The mark outlives its instance.
  const again = await (await connect()).subscribe({
    durable: name,
    from: "now",
    maxAttempts: 3,
    ...fast,
    handler: (events, context) => {
      if (events[0]?.subject.id === "bad" && broken) throw new Error("no such thing");
      return handler(events, context);
    },
  });
  await chatter(["bad", "good"], 1, "more");
  await vi.waitFor(() => expect(got.get("good")?.at(-1)).toBe("more1"), within);
  expect(got.get("bad")).toEqual(["m1"]);
  broken = false;
  await again.retry({ kind: "room", id: "bad" });
  await vi.waitFor(() => expect(got.get("bad")).toEqual(["m1", "m2", "m3", "m4", "more1"]), within);
  await vi.waitFor(async () => expect(await again.parked()).toEqual([]), within);
});

test("a subject that is tried again for long is tried once, in order", async () => {
  let broken = true;
  const got: unknown[] = [];
  let [atOnce, most] = [0, 0];
  const subscription = await (await connect()).subscribe({
    ...{ durable: durable(), from: "now", maxAttempts: 1, ...fast, leaseMs: 250 },
    async handler([event]) {
      if (event?.subject.id !== "slow") return;
      if (broken) throw new Error("no such thing");
      atOnce += 1;
      most = Math.max(most, atOnce);
      // As long as a look at what is asked for, which is each 50 ms, and some more.
      await new Promise((resolve) => setTimeout(resolve, 120));
      atOnce -= 1;
      got.push(textOf(event));
    },
  });
  await chatter(["slow"], 4);
  await vi.waitFor(async () => expect(await subscription.parked()).toHaveLength(1), within);
  broken = false;
  await subscription.retry({ kind: "room", id: "slow" });
  await vi.waitFor(async () => expect(await subscription.parked()).toEqual([]), within);
  expect([got, most]).toEqual([["m1", "m2", "m3", "m4"], 1]);
});

test("an event whose data is not what its type promises parks its subject", async () => {
  const { got, handler } = keeper();
  const subscription = await (await connect()).subscribe({ durable: durable(), from: "now", ...fast, handler });
  await append({ ...said("odd", "x", 1), type: "RoomRenamed.v1", data: { name: 7 } }, said("even", "fine", 1));
  await vi.waitFor(async () => expect(await subscription.parked()).toHaveLength(1), within);
  expect((await subscription.parked())[0]).toMatchObject({
    subject: { id: "odd" },
    attempts: 0,
    reason: expect.stringContaining("name"),
  });
  await vi.waitFor(() => expect(got).toEqual(new Map([["even", ["fine"]]])), within);
});

test("instances share the work by subject, and take over from one that goes or dies", async () => {
  const name = durable();
  const rooms = Array.from({ length: 12 }, (_, index) => `room-${index}`);
  const seen: { instance: number; room: string; text: unknown }[] = [];
  const line = await cutLine(inject("natsUrl"));
  const start = async (instance: number) => {
    const events = await connect("reader", instance === 1 ? line.url : undefined);
    await events.subscribe({
      ...{ durable: name, from: "now", instances: 3, ...fast },
      handler: ([event]) => void (event && seen.push({ instance, room: event.subject.id, text: textOf(event) })),
    });
    return events;
  };
  const instances = [await start(0), await start(1), await start(2)];
  let round = 0;
  /** Who handled the rooms in a round, once all were handled. */
  const handledBy = async () => {
    round += 1;
    const text = `m${round}`;
    await append(...rooms.map((room) => said(room, text, round)));
    const mine = () => seen.filter((one) => one.text === text);
    await vi.waitFor(() => expect(new Set(mine().map(({ room }) => room)).size).toBe(rooms.length), within);
    return new Set(mine().map(({ instance }) => instance));
  };
  await vi.waitFor(async () => expect((await handledBy()).size).toBe(3), within);
  await instances[0]?.close();
  expect(await handledBy()).toEqual(new Set([1, 2]));
  // It says no good-bye.
  await line.cut();
  await vi.waitFor(async () => expect(await handledBy()).toEqual(new Set([2])), within);
  for (const room of rooms) {
    const texts = seen.filter((one) => one.room === room).map(({ text }) => Number(String(text).slice(1)));
    // At least once, and after what was seen twice nothing is out of order.
    const firsts = texts.filter((text, index) => texts.indexOf(text) === index);
    expect(firsts).toEqual(Array.from({ length: round }, (_, index) => index + 1));
  }
});

test("what is asked wrongly is said, with what to do", async () => {
  const events = await connect();
  const { handler } = keeper();
  const ask = (options: Partial<SubscribeOptions>) =>
    events.subscribe({ durable: "d", from: "start", handler, ...options });
  const refusals: [Partial<SubscribeOptions>, ServiceError["code"], RegExp][] = [
    [{ types: ["MessagePost"] }, "UnknownType", /only .*MessagePosted/],
    [{ types: ["MessageEdited.v1"] }, "UnknownType", /ask for MessageEdited/],
    [{ types: ["AccountRegistered"] }, "NotAllowed", /may see MessagePosted, .*service add reader/],
    [{ durable: "a b" }, "BadDurable", /up to 64/],
    [{ instances: 65 }, "BadDurable", /1 to 64/],
    [{ batch: Number.NaN }, "BadRequest", /batch is NaN; it is a whole number from 1 to/],
    [{ batch: 0 }, "BadRequest", /batch is 0/],
    [{ maxAttempts: 1.5 }, "BadRequest", /maxAttempts is 1.5/],
    [{ backOffMs: Number.NaN }, "BadRequest", /backOffMs/],
    [{ maxBackOffMs: -1 }, "BadRequest", /maxBackOffMs/],
    [{ leaseMs: 0 }, "BadRequest", /leaseMs/],
    [{ leaseMs: 2 ** 31 }, "BadRequest", /leaseMs is 2147483648; it is a whole number from 1 to 2147483647/],
    [{ types: [] }, "BadRequest", /types is empty/],
    [{ handler: undefined as unknown as Handler }, "BadRequest", /handler is no function/],
    [{ from: { position: "p1.x" } }, "BadPosition", /position\(\)/],
    [{ from: "yesterday" as "now" }, "BadPosition", /"start", "now"/],
  ];
  for (const [options, code, message] of refusals)
    await expect(ask(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  const { encodePosition, positionAt } = await import("@connect-hub/domain/values");
  const ahead = encodePosition(positionAt("rooms.0", lane.epoch.slice(0, 8), n + 5));
  await expect(ask({ from: { position: ahead } })).rejects.toMatchObject({ code: "PositionAhead" });
  await expect(ask({ durable: "a b" })).rejects.toBeInstanceOf(ServiceError);
  const stranger = await connectEvents({ url: inject("natsUrl"), user: "svc-stranger", password: "x", prefix });
  open.push(stranger);
  await expect(stranger.subscribe({ durable: "d", from: "now", handler })).rejects.toMatchObject({
    code: "UnknownService",
  });
  await expect(connectEvents({ url: inject("natsUrl"), user: "edge", password: "x" })).rejects.toMatchObject({
    code: "UnknownService",
  });
  const name = durable();
  await ask({ durable: name, instances: 2 });
  await expect(ask({ durable: name, instances: 3 })).rejects.toMatchObject({ code: "InstancesFixed" });
});

test("a closed epoch is read through, in its stream and, once it is archived, in its file", async () => {
  const name = durable();
  const { got, handler } = keeper();
  const one = await (await connect()).subscribe({ durable: name, from: "now", ...fast, handler });
  await append(said("old", "before", 1));
  const size = { replicas: 1, maxBytes: 16 * 1024 ** 2 } as const;
  const epoch = { prefix, lane: "rooms.0", archiveDir, ...size, signal: AbortSignal.timeout(20_000) } as const;
  await closeEpoch(link, link, epoch);
  const next = await openLane(link, { prefix, id: "rooms.0" });
  let last = await next.lastNumber();
  const say = async (text: string) => {
    const bytes = await log.commit([[said("old", text, 2)]], { epoch: next.epoch, n: last + 1 });
    expect(await next.append(bytes, last)).toBe("stored");
    last += 1;
  };
  await say("after");
  await vi.waitFor(() => expect(got.get("old")).toEqual(["before", "after"]), within);
  const whole = keeper();
  await (await connect()).subscribe({ durable: durable(), from: "start", ...fast, handler: whole.handler });
  await vi.waitFor(() => expect(whole.got.get("old")).toEqual(["before", "after"]), within);
  expect(whole.got.get("a")?.[0]).toBe("m1");
  await one.close();
  await archivePast(link, epoch);
  await say("archived");
  const two = await (await connect()).subscribe({ durable: name, from: "now", ...fast, handler });
  await vi.waitFor(() => expect(got.get("old")).toEqual(["before", "after", "archived"]), within);
  await two.close();
  const late = keeper();
  await (await connect()).subscribe({ durable: durable(), from: "start", ...fast, handler: late.handler });
  await vi.waitFor(() => expect(late.got.get("old")).toEqual(["before", "after", "archived"]), within);
  expect(late.got.get("a")).toEqual(whole.got.get("a"));
});

test("many events of one commit stay together, and a position stands behind each piece that is handled", async () => {
  const name = durable();
  const handled: string[] = [];
  let last = await (await openLane(link, { prefix, id: "rooms.0" })).lastNumber();
  const present = await openLane(link, { prefix, id: "rooms.0" });
  const start = (stopAt: number) =>
    connect().then((events) =>
      events.subscribe({
        ...{ durable: name, from: "now", batch: 40, ...fast },
        async handler(some, { signal }) {
          if (handled.length >= stopAt) await new Promise((_, reject) => signal.addEventListener("abort", reject));
          handled.push(...some.map(textOf).map(String));
        },
      }),
    );
  const one = await start(200);
  const want: string[] = [];
  for (const size of [70, 70, 70, 70, 70, 70]) {
    const texts = Array.from({ length: size }, (_, index) => `${want.length + index}`);
    const events = texts.map((text, index) => [said("long", text, want.length + index + 1)]);
    expect(await present.append(await log.commit(events, { epoch: present.epoch, n: last + 1 }), last)).toBe("stored");
    last += 1;
    want.push(...texts);
  }
  await vi.waitFor(() => expect(handled.length).toBeGreaterThanOrEqual(200), within);
  await one.close();
  const before = handled.splice(0);
  await start(Number.POSITIVE_INFINITY);
  await vi.waitFor(() => expect(handled.at(-1)).toBe(want.at(-1)), within);
  // Of what was handled only a piece comes again, and nothing is left out.
  expect(before).toEqual(want.slice(0, before.length));
  const again = want.indexOf(handled[0] ?? "");
  expect(again).toBeGreaterThan(0);
  expect(again % 70).toBe(0);
  expect(handled).toEqual(want.slice(again));
});
