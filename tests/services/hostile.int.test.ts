import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, memoryVault } from "@connect-hub/domain/testing";
import { askDoor, connectNats, type NatsLink, openLane, provisionLanes, serviceRegistry } from "@connect-hub/jetstream";
import { type DataFolder, openDataFolder, type RunningServer, reloadNats, startServer } from "@connect-hub/runtime";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { natsLogins } from "../../infra/runtime/nats.ts";
import { type NatsService, serviceLogin, writeServices } from "../../infra/runtime/natsServices.ts";
import { memoryDoor } from "../support/memoryDoor.ts";

// A nats-server by the configuration that boxes run with, the door under its own user, and services that try what they may not.
const services: readonly NatsService[] = [
  { name: "mallory", contexts: ["rooms"] },
  { name: "victim", contexts: ["accounts", "rooms"] },
  // As older versions wrote down one with types.
  { name: "former", contexts: null },
  { name: "gone", contexts: ["rooms"] },
];
const lanes = ["accounts.0", "rooms.0", "content.0"] as const;
let folder: DataFolder;
let nats: RunningServer;
let hub: NatsLink;
let door: { close(): Promise<void> };
let append: (text: string) => Promise<void>;
let epochs: { readonly [lane: string]: string };
const open: NatsLink[] = [];

beforeAll(async () => {
  folder = openDataFolder(mkdtempSync(join(tmpdir(), "connect-hub-hostile-")));
  // In the shape in which older versions left them: their rights are made anew at each start of nats-server.
  writeServices(folder, services);
  nats = await startServer("nats", { dataDir: folder.path });
  const logins = natsLogins(folder);
  hub = await connectNats({ url: nats.url, ...logins.hub, name: "hub", inboxPrefix: "_INBOX_hub" });
  await provisionLanes(hub, { prefix: "", lanes, replicas: 1, maxBytes: 16 * 1024 ** 2 });
  const registry = serviceRegistry(hub, "");
  const base = { types: null, rooms: null, addedAt: "2026-01-01T00:00:00.000Z" };
  for (const { name, contexts } of services) {
    const rights = contexts === null ? { ...base, contexts, types: ["MessagePosted"] } : { ...base, contexts };
    await registry.write(name, JSON.stringify(rights), 1);
  }
  const vault = memoryVault();
  door = await memoryDoor({ url: nats.url, ...logins.door, prefix: "", vault });
  const writer = await connectNats({ url: nats.url, ...logins.commands, name: "w", inboxPrefix: "_INBOX_commands" });
  open.push(writer);
  const opened = await Promise.all(lanes.map((id) => openLane(writer, { prefix: "", id })));
  epochs = Object.fromEntries(opened.map(({ id, epoch }) => [id, epoch.slice(0, 8)]));
  const [, lane] = opened;
  if (lane === undefined) throw new Error("no lane");
  const log = new LogBuilder({ lane: "rooms.0", epoch: lane.epoch, model: roomModel, vault });
  append = async (text) => {
    const event = { type: "MessagePosted.v1", subject: { kind: "room" as const, id: "a" }, s: 1, m: 1, by: "ada" };
    const bytes = await log.commit([[{ ...event, data: { body: { text } } }]]);
    expect(await lane.append(bytes, await lane.lastNumber())).toBe("stored");
  };
  await append("hello");
});
afterAll(async () => {
  await Promise.all(open.map((link) => link.close()));
  await door?.close();
  await hub?.close();
  await nats?.close();
  rmSync(folder.path, { recursive: true, force: true });
});

async function as(name: string): Promise<NatsLink> {
  const service = services.find((one) => one.name === name);
  if (service === undefined) throw new Error(name);
  const { user, password } = serviceLogin(folder, service);
  const link = await connectNats({ url: nats.url, user, password, name, inboxPrefix: `_INBOX_svc.${name}` });
  open.push(link);
  return link;
}

/** What lies in all streams, and the consumers of each. */
async function stored(): Promise<unknown> {
  const { streams } = await jetstreamManager(hub.nc, { checkAPI: false });
  const all: unknown[] = [];
  for await (const { config, state } of streams.list())
    all.push([config.name, state.messages, state.last_seq, state.consumer_count]);
  return all;
}

const from = (after: readonly [string, number], waitMs = 0) => ({ after, types: ["MessagePosted"], max: 100, waitMs });
const start = ["", 0] as const;

test("a service is answered what is its own, by the right of its context", async () => {
  const link = await as("mallory");
  expect(await askDoor(link, "door.mallory.rooms.0.next", from(start, 5_000), 6_000)).toMatchObject({
    position: [epochs["rooms.0"], 1],
    events: [{ type: "MessagePosted.v1", data: { body: null }, sealed: ["body"] }],
  });
  const former = await askDoor(await as("former"), "door.former.rooms.0.next", from(start, 5_000), 6_000);
  expect(former).toMatchObject({ events: [{ data: { body: { text: "hello" } } }] });
});

test("JetStream, the log, buckets and others' door are refused by nats-server", async () => {
  const link = await as("mallory");
  const before = await stored();
  const [rooms, content] = ["rooms.0", "content.0"].map((lane) => `LOG_${lane.replace(".", "_")}_${epochs[lane]}`);
  const target = `log.content.0.${epochs["content.0"]}`;
  const push = { stream_name: rooms, config: { deliver_subject: target, ack_policy: "none", deliver_policy: "all" } };
  const attacks: [subject: string, body: object][] = [
    [`$JS.API.CONSUMER.CREATE.${rooms}`, push],
    [`$JS.API.CONSUMER.CREATE.${rooms}.c.log.rooms.0.${epochs["rooms.0"]}`, push],
    [`$JS.API.CONSUMER.DURABLE.CREATE.${rooms}.c`, push],
    [`$JS.API.CONSUMER.MSG.NEXT.${rooms}.c`, { batch: 1 }],
    [`$JS.API.STREAM.INFO.${rooms}`, {}],
    [`$JS.API.STREAM.MSG.GET.${rooms}`, { seq: 1 }],
    ["$JS.API.STREAM.MSG.GET.KV_service_mallory", { seq: 1 }],
    ["$JS.API.DIRECT.GET.KV_services.$KV.services.mallory", {}],
    [`$JS.API.STREAM.DELETE.${content}`, {}],
    ["$JS.API.INFO", {}],
    ["$JS.ACK.x.y.1.1.1.1.1", {}],
    [target, {}],
    ["$KV.lanes.content.0", {}],
    ["$KV.service_mallory.at.x", {}],
    ["head.rooms.0.01234567", {}],
    ["cmd.rooms.0.x", {}],
    ["_INBOX_svc.victim.x", {}],
    ["_INBOX_door.x", {}],
    ["door.victim.rooms.0.next", from(start)],
    ["door.victim.state.put", { key: "x", value: "x", revision: 0 }],
    ["door.mallory.accounts.0.head", {}],
    ["door.mallory.content.0.next", from(start)],
  ];
  for (const [subject, body] of attacks) {
    // What would be done with an answer that goes elsewhere is tried too.
    link.nc.publish(subject, JSON.stringify(body), { reply: target });
    await expect(askDoor(link, subject, body, 2_000), subject).rejects.toMatchObject({ code: "NotAllowed" });
  }
  expect(await stored()).toEqual(before);
});

describe("what nats-server lets through", () => {
  test("is not answered anywhere but in the asking service's own inbox", async () => {
    const [mallory, victim] = [await as("mallory"), await as("victim")];
    const heard: string[] = [];
    victim.nc.subscribe("_INBOX_svc.victim.>", { callback: (_, message) => void heard.push(message.subject) });
    await victim.nc.flush();
    const before = await stored();
    const replies = [
      `log.content.0.${epochs["content.0"]}`,
      "$KV.lanes.content.0",
      "$KV.service_victim.at.plan.x",
      "$KV.service_mallory.at.plan.x",
      "$JS.API.STREAM.DELETE.KV_lanes",
      "$JS.API.STREAM.INFO.KV_lanes",
      "_INBOX_svc.victim.x",
      "_INBOX_svc.mallory",
      "_INBOX_svc.mallory.",
      "_INBOX_svc.mallory..x",
      "_INBOX_svc.mallory.>",
      "_INBOX_svc.mallory.*",
      "_INBOX_svc.*.x",
      "_INBOX_svc.>",
      "_INBOX_door.x",
      "_INBOX_edge.x",
      `_INBOX_svc.mallory.${"x".repeat(1_000)}`,
    ];
    for (const reply of replies) mallory.nc.publish("door.mallory.lanes", '{"types":null}', { reply });
    for (const body of ["", "{", "[]", "null", "[".repeat(100_000)])
      mallory.nc.publish("door.mallory.lanes", body, { reply: "_INBOX_svc.mallory.y" });
    await mallory.nc.flush();
    // Who was asked later has answered: what there was to say before was said.
    for (let round = 0; round < 5; round++)
      expect(await askDoor(mallory, "door.mallory.lanes", { types: null }, 2_000)).toMatchObject({ lanes: {} });
    await victim.nc.flush();
    expect(heard).toEqual([]);
    expect(await stored()).toEqual(before);
  });

  test("is held to the rights once more by the door", async () => {
    const former = await as("former");
    const accounts = { ...from(start), types: ["AccountRegistered"] };
    const refusals: [what: string, body: object, code: string][] = [
      ["accounts.0.head", {}, "NotAllowed"],
      ["accounts.0.next", accounts, "NotAllowed"],
      ["accounts.0.next", from(start), "BadRequest"],
      ["rooms.0.next", { ...from(start), types: ["RoomRenamed"] }, "NotAllowed"],
      ["rooms.0.next", { ...from(start), max: 1e9 }, "BadRequest"],
      ["state.list", { prefix: ">", after: "" }, "BadRequest"],
      ["state.put", { key: "../x", value: "", revision: 0 }, "BadRequest"],
      ["state.put", { key: "x", value: "x".repeat(65_537), revision: 0 }, "BadRequest"],
    ];
    for (const [what, body, code] of refusals)
      expect(await askDoor(former, `door.former.${what}`, body, 2_000), what).toMatchObject({ error: { code } });
  });

  test("is bounded: questions that are open, and what is kept", async () => {
    const mallory = await as("mallory");
    const at = [epochs["rooms.0"] ?? "", 1] as const;
    const ask = () => askDoor(mallory, "door.mallory.rooms.0.next", from(at, 300), 5_000);
    const many = await Promise.all(Array.from({ length: 300 }, ask));
    const busy = many.filter(({ error }) => JSON.stringify(error)?.includes("More than 256 questions"));
    expect(busy).toHaveLength(44);

    const { streams } = await jetstreamManager(hub.nc, { checkAPI: false });
    expect((await streams.info("KV_service_mallory")).config.max_bytes).toBe(16 * 1024 ** 2);
    await streams.update("KV_service_mallory", { max_bytes: 1024 ** 2 });
    const codes = new Map<string, number>();
    for (let k = 0; k < 20; k++) {
      const body = { key: `fill.${k}`, value: "x".repeat(64 * 1024), revision: 0 };
      const answer = await askDoor(mallory, "door.mallory.state.put", body, 10_000);
      const { code = "done" } = (answer.error ?? {}) as { code?: string };
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect([...codes.keys()].sort()).toEqual(["StateFull", "done"]);
    const kept: string[] = [];
    for (let more = true; more; ) {
      const body = { prefix: "fill", after: kept.at(-1) ?? "" };
      const page = (await askDoor(mallory, "door.mallory.state.list", body, 5_000)) as {
        entries: { key: string }[];
        more: boolean;
      };
      expect(page.entries.length).toBeLessThan(10);
      kept.push(...page.entries.map(({ key }) => key));
      more = page.more;
    }
    expect(new Set(kept).size).toBe(codes.get("done"));
  });
});

test("who is removed gets nothing more from that moment on, and is cut off", async () => {
  const link = await as("gone");
  const at = [epochs["rooms.0"] ?? "", 1] as const;
  const held = askDoor(link, "door.gone.rooms.0.next", from(at, 5_000), 6_000);
  await link.nc.flush();
  await serviceRegistry(hub, "").remove("gone");
  await append("not for those who are gone");
  expect(await held).toMatchObject({ error: { code: "UnknownService" } });
  const next = await askDoor(link, "door.gone.rooms.0.next", from(at), 2_000);
  expect(next).toMatchObject({ error: { code: "UnknownService" } });
  writeServices(
    folder,
    services.filter(({ name }) => name !== "gone"),
  );
  reloadNats(folder);
  await vi.waitFor(() => expect(link.connected).toBe(false), { timeout: 5_000 });
});
