import { expect, test } from "vitest";
import { roomModel } from "../room/index.ts";
import { LogBuilder } from "../testing/logBuilder.ts";
import { memoryLane } from "../testing/memoryLane.ts";
import { memoryVault } from "../testing/memoryVault.ts";
import { changesOfCommit } from "./changesOfCommit.ts";
import { decodeCommit } from "./commit.ts";
import type { ContextModel, DomainEvent } from "./event.ts";
import { factsVersionOf } from "./factsVersion.ts";
import { MemoryTables } from "./memoryTables.ts";
import { startReactor } from "./reactor.ts";
import { openEvent, sealedKeyIds } from "./sealing.ts";
import { storedTypesOf, upcast } from "./versions.ts";

const room = "00000000-0000-4000-8000-000000000001";
const files = [{ id: "f1", name: "a.txt", size: 1, type: "text/plain" }];
const inRoom = (type: string, s: number, data: DomainEvent["data"], m?: number): DomainEvent => ({
  type,
  subject: { kind: "room", id: room },
  s,
  ...(m && { m }),
  by: "ana",
  data,
});
const created = inRoom("RoomCreated.v1", 1, { type: "group", name: "r", members: [{ user: "ana", role: "owner" }] });
const posted = inRoom("MessagePosted.v1", 2, { body: { text: "a" } }, 1);
const withFiles = inRoom("MessageWithFilesPosted.v1", 3, { files: ["f1"], body: { text: "b", files } }, 2);

/** A model whose events came from three versions, one after another. */
const third: ContextModel = {
  ...roomModel,
  oldEvents: {
    "Said.v1": { ...old("Said.v1", "Said.v2"), upcast: ({ data }) => ({ ...data, loud: false }) },
    "Said.v2": { ...old("Said.v2", "MessagePosted.v1"), upcast: ({ data, by }) => ({ body: { text: data.t ?? by } }) },
  },
};

function old(type: string, newer: string) {
  const { data, sealed } = roomModel.events["RoomRenamed.v1"] as never as { data: never; sealed: object };
  return { type, newer, about: "", subject: "room" as const, data, sealed: sealed as never };
}

/** The tables after these events, as anybody finds them who reads the log. */
async function tablesAfter(events: readonly DomainEvent[], forget = false): Promise<MemoryTables> {
  const { bytes, vault } = await stored(events);
  const commit = decodeCommit(bytes);
  const keys = forget ? new Map() : await vault.byId(sealedKeyIds([commit], roomModel));
  const tables = new MemoryTables(roomModel.tables);
  tables.apply(changesOfCommit(commit, roomModel, keys));
  return tables;
}

async function stored(events: readonly DomainEvent[]) {
  const vault = memoryVault();
  const builder = new LogBuilder({ lane: "rooms.0", epoch: "0".repeat(32), model: roomModel, vault });
  return { vault, bytes: await builder.commit([events]) };
}

test("an old version is read step by step as the newest one; all but its data stays", () => {
  const said = { ...inRoom("Said.v1", 2, { t: "hi" }, 1), by: "bob" };
  expect(upcast(said, third)).toEqual({ ...said, type: "MessagePosted.v1", data: { body: { text: "hi" } } });
  expect(upcast(posted, third)).toBe(posted);
  const unknown = inRoom("Sung.v1", 2, {});
  expect(upcast(unknown, third)).toBe(unknown);
});

test("who wants events of a type gets those of its old versions too", () => {
  expect(storedTypesOf(["MessagePosted.v1", "RoomRenamed.v1"], third).sort()).toEqual(
    ["MessagePosted.v1", "RoomRenamed.v1", "Said.v1", "Said.v2"].sort(),
  );
  expect(storedTypesOf(["MessageEdited.v2"], roomModel)).toContain("MessageWithFilesEdited.v1");
});

test.each([false, true])("edits of old versions make the very rows of the newest (erased: %s)", async (forget) => {
  const plain = inRoom("MessageEdited.v1", 4, { message: 2, edits: [], body: { text: "c" } });
  const plainNow = { message: 2, edits: [], files: [], body: { text: "c", files: [] } };
  const data = { message: 3, edits: [], files: ["f1"], body: { text: "d", files } };
  const before = [created, posted, withFiles];
  const old = await tablesAfter([...before, plain, inRoom("MessageWithFilesEdited.v1", 5, data)], forget);
  const now = [inRoom("MessageEdited.v2", 4, plainNow), inRoom("MessageEdited.v2", 5, data)];
  const tables = await tablesAfter([...before, ...now], forget);
  expect(old.digests()).toEqual(tables.digests());
  const name = forget ? null : "a.txt";
  expect(old.rows("messages").map((row) => row.data)).toEqual([
    { event: "roomCreated" },
    { text: forget ? null : "c", edits: [4] },
    { text: forget ? null : "d", files: [expect.objectContaining({ id: "f1", name })], edits: [5] },
  ]);
  expect(old.rows("room_events").map((row) => row.data)).toContainEqual({ message: 2, text: forget ? null : "c" });
});

test("a reactor is given old versions as the newest one that it asked for", async () => {
  const edit = inRoom("MessageEdited.v1", 3, { message: 2, edits: [], body: { text: "c" } });
  const { bytes, vault } = await stored([created, posted, edit]);
  const lane = memoryLane({ id: "rooms.0", now: () => 0 });
  lane.appendForeign(bytes);
  const seen: DomainEvent[] = [];
  const reactor = startReactor({
    lane,
    vault,
    model: roomModel,
    types: ["MessageEdited.v2"],
    checkpoint: { read: async () => 0, write: async () => undefined },
    react: async (event) => void seen.push(event),
  });
  await expect.poll(() => seen).toEqual([upcast(edit, roomModel)]);
  await reactor.close();
});

test("an event is opened with the key and the place of the version that it was stored in", async () => {
  const edit = inRoom("MessageEdited.v1", 3, { message: 2, edits: [], body: { text: "c" } });
  const { bytes, vault } = await stored([edit]);
  const commit = decodeCommit(bytes);
  const keys = await vault.byId(sealedKeyIds([commit], roomModel));
  const [event] = commit.entries.flatMap((entry) => entry.events);
  if (event === undefined) throw new Error("nothing was stored");
  expect(openEvent(event, roomModel, keys)).toMatchObject({ data: { body: { text: "c", files: [] } } });
  expect(() => openEvent({ ...event, type: "MessageEdited.v2" }, roomModel, keys)).toThrow();
});

test("other types, another revision or another old version make another version of facts", () => {
  const { "MessageEdited.v1": _one, ...fewer } = roomModel.oldEvents;
  const versions = [
    roomModel,
    third,
    { ...roomModel, revision: roomModel.revision + 1 },
    { ...roomModel, oldEvents: fewer },
  ];
  expect(new Set(versions.map(factsVersionOf)).size).toBe(4);
});
