import { randomUUID } from "node:crypto";
import type { DomainEvent, Lane, Vault } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import type { ServiceRights } from "@connect-hub/domain/services";
import { LogBuilder } from "@connect-hub/domain/testing";
import { readDoorConfig, startDoor } from "@connect-hub/door";
import { connectEvents, type Events, type ServiceEvent, type SubscribeOptions } from "@connect-hub/events";
import { openLane, serviceRegistry } from "@connect-hub/jetstream";
import { openPool, type PostgresPool } from "@connect-hub/postgres";
import { openVault } from "@connect-hub/vault";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { type FreshBox, freshBox } from "../support/freshBox.ts";

const [open, closed] = [randomUUID(), randomUUID()];
const within = { timeout: 10_000, interval: 10 };
let box: FreshBox;
let pool: PostgresPool;
let vault: Vault;
let door: { close(): Promise<void> };
let lane: Lane;
let log: LogBuilder;
let n = 0;
const connected: Events[] = [];

beforeAll(async () => {
  box = await freshBox({ natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl") });
  pool = openPool(box.databaseUrl, { name: "test", max: 1 });
  vault = await openVault({ db: pool, rootFile: box.env.HUB_VAULT_ROOT ?? "" });
  lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  log = new LogBuilder({ lane: "rooms.0", epoch: lane.epoch, model: roomModel, vault });
  door = await startDoor(readDoorConfig(box.env));
  await mayS("narrow", { types: ["MessagePosted"], rooms: [open] });
  await mayS("typed", { types: ["RoomRenamed", "AccountErased"], rooms: null });
});
afterEach(async () => {
  await Promise.all(connected.splice(0).map((events) => events.close()));
});
afterAll(async () => {
  await door.close();
  await pool.end();
  await box.close();
});

function mayS(name: string, rights: Pick<ServiceRights, "types" | "rooms">): Promise<void> {
  const whole: ServiceRights = { contexts: null, addedAt: "2026-01-01T00:00:00.000Z", ...rights };
  return serviceRegistry(box.link, box.prefix).write(name, JSON.stringify(whole), 1);
}

async function connect(name: string): Promise<Events> {
  const url = inject("natsUrl");
  const events = await connectEvents({ url, user: `svc-${name}`, password: "x", prefix: box.prefix });
  connected.push(events);
  return events;
}

async function append(...events: DomainEvent[]): Promise<void> {
  expect(await lane.append(await log.commit(events.map((event) => [event])), n)).toBe("stored");
  n += 1;
}

const said = (room: string, text: string): DomainEvent => ({
  type: "MessagePosted.v1",
  subject: { kind: "room", id: room },
  s: 1,
  m: 1,
  by: "ada",
  data: { body: { text } },
});
const renamed = (room: string, name: string): DomainEvent => ({
  type: "RoomRenamed.v1",
  subject: { kind: "room", id: room },
  s: 1,
  by: "ada",
  data: { name },
});

/** Subscribes, and keeps what comes. */
async function listen(name: string, options: Partial<SubscribeOptions> = {}) {
  const got: ServiceEvent[] = [];
  const handler = (events: readonly ServiceEvent[]) => void got.push(...events);
  const subscription = await (await connect(name)).subscribe({
    ...{ durable: "d", from: "start", leaseMs: 500, handler },
    ...options,
  });
  return { got, subscription };
}

test("a service behind the door gets the types and rooms that are its own, opened, and nothing else", async () => {
  await append(said(open, "one"), said(closed, "secret"), renamed(open, "a room"));
  await append(said(closed, "secret too"));
  await append(said(open, "two"));
  const narrow = await listen("narrow");
  await vi.waitFor(() => expect(narrow.got).toHaveLength(2), within);
  expect(narrow.got).toMatchObject([
    { n: 1, index: 0, subject: { id: open }, data: { body: { text: "one" } }, sealed: [] },
    { n: 3, index: 0, data: { body: { text: "two" } } },
  ]);
  const typed = await listen("typed");
  await vi.waitFor(() => expect(typed.got).toHaveLength(1), within);
  expect(typed.got).toMatchObject([{ type: "RoomRenamed.v1", data: { name: "a room" } }]);
  expect(JSON.stringify([narrow.got, typed.got])).not.toContain("secret");
});

test("it goes on where it was, with what comes while it listens", async () => {
  const { got, subscription } = await listen("narrow", { durable: "again" });
  await vi.waitFor(() => expect(got).toHaveLength(2), within);
  await append(said(open, "three"));
  await vi.waitFor(() => expect(got).toHaveLength(3), within);
  await subscription.close();
  await append(said(closed, "nothing"), said(open, "four"));
  const later = await listen("narrow", { durable: "again" });
  await vi.waitFor(() => expect(later.got.map(({ data }) => data)).toEqual([{ body: { text: "four" } }]), within);
  expect((await listen("narrow", { durable: "new", from: "now" })).got).toEqual([]);
});

test("it parks and tries again as any other", async () => {
  let broken = true;
  const texts: unknown[] = [];
  const { subscription } = await listen("narrow", {
    ...{ durable: "parks", maxAttempts: 2, backOffMs: 5 },
    handler([event]) {
      if (broken) throw new Error("away");
      texts.push(event?.data.body);
    },
  });
  await vi.waitFor(async () => expect(await subscription.parked()).toMatchObject([{ reason: "away" }]), within);
  broken = false;
  await subscription.retry({ kind: "room", id: open });
  await vi.waitFor(async () => expect(await subscription.parked()).toEqual([]), within);
  expect(texts).toEqual(["one", "two", "three", "four"].map((text) => ({ text })));
});

test("what it may not see is refused, whoever asks; rights that are taken away end what is being read", async () => {
  const narrow = await connect("narrow");
  const ask = (types: string[]) => narrow.subscribe({ durable: "x", from: "now", types, handler: () => undefined });
  await expect(ask(["RoomRenamed"])).rejects.toMatchObject({ code: "NotAllowed" });
  await expect(ask(["AccountRegistered"])).rejects.toMatchObject({ code: "NotAllowed" });
  // Nor by another's inbox: whoever may answer to all must not be told where.
  const { nc } = box.link;
  await expect(nc.request(`${box.prefix}door.narrow.lanes`, "{}", { timeout: 300 })).rejects.toThrow();
  const { got, subscription } = await listen("narrow", { durable: "ends", from: "now" });
  await mayS("narrow", { types: ["RoomRenamed"], rooms: [open] });
  await append(said(open, "five"));
  await expect(subscription.ended).resolves.toMatchObject({ code: "NotAllowed" });
  expect(got).toEqual([]);
  await serviceRegistry(box.link, box.prefix).remove("typed");
  const gone = await connect("typed");
  await expect(gone.subscribe({ durable: "x", from: "now", handler: () => undefined })).rejects.toMatchObject({
    code: "UnknownService",
  });
});
