import { describe, expect, test } from "vitest";
import { contentModel } from "../content/index.ts";
import { roomModel } from "../room/index.ts";
import { golden } from "../testing/golden.ts";
import { decodePosition, encodePosition, mergeTokens } from "../values/position.ts";
import { decodeBeat, encodeBeat } from "./beat.ts";
import { decodeInstanceBeat, encodeInstanceBeat } from "./candidates.ts";
import { changesOfCommandRows, changesOfCommit } from "./changesOfCommit.ts";
import {
  type CommitHead,
  CorruptCommit,
  decodeCommit,
  encodeCommit,
  encodeEntry,
  encodeEvent,
  hashCommit,
  rootsHold,
  type StoredEvent,
} from "./commit.ts";
import { derivedId, idOfKeyedHash, laneOf } from "./derivedId.ts";
import { decodeEdgeConfirm, decodeEdgeRevoke, encodeEdgeConfirm, encodeEdgeRevoke } from "./edgeRevoke.ts";
import { closedFor, encodeEpochBegan, encodeEpochClosed, epochFault } from "./epochBegan.ts";
import type { ContextModel, DomainEvent, Subject } from "./event.ts";
import { liveFrames } from "./liveFrames.ts";
import { leafHash, merkleRoot } from "./merkle.ts";
import { keyNamesOf, openEvent, seal, sealEvent, unseal } from "./sealing.ts";
import { storedDefinition, upcast } from "./versions.ts";

// A red line here means that stored data would be read differently: never mend it by changing docs/format.md; make a new
// version.

const room = "0192f0c4-8e00-7000-8000-000000000001";
const ana = "0192f0c4-8e00-7000-8000-00000000000a";
const at = "2026-01-01T00:00:00.000Z";
const key = { id: "00000000-0000-4000-8000-000000000001", bytes: new Uint8Array(32).fill(1) };
const place = `MessagePosted.v1|room|${room}|body`;
const body = seal({ text: "Who's there?" }, key, place, new Uint8Array(12).fill(2));
const event: StoredEvent = {
  type: "MessagePosted.v1",
  subject: { kind: "room", id: room },
  s: 2,
  m: 1,
  by: ana,
  salt: "AAAAAAAAAAAAAAAAAAAAAA",
  data: { body: { ...body } },
};
const entry = encodeEntry({
  key: { actor: ana, id: "0192f0c4-8e01-7000-8000-000000000002" },
  kind: "postMessage",
  digest: "0".repeat(64),
  result: { room, s: 2, m: 1 },
  events: [event],
});
const head: CommitHead = {
  lane: "rooms.0",
  epoch: "0123456789abcdef0123456789abcdef",
  n: 2,
  term: 1,
  writer: "w1",
  prevHash: "f".repeat(64),
  at,
};

describe("the stored formats", () => {
  test("commit", () => {
    const bytes = encodeCommit(head, [entry]);
    expect(Buffer.from(bytes).toString()).toBe(golden("commit"));
    expect(hashCommit(bytes)).toBe(golden("commit hash"));
    const commit = decodeCommit(bytes);
    expect(rootsHold(commit)).toBe(true);
    expect(commit.entries[0]?.events[0]).toEqual(event);
  });

  test("take-over commit", () => {
    expect(Buffer.from(encodeCommit({ ...head, n: 1, prevHash: "" }, [])).toString()).toBe(golden("take-over"));
  });

  test("commit that begins an epoch", () => {
    const end = { lane: "rooms.0", n: 2, hash: golden("commit hash"), epoch: head.epoch, term: 1 } as const;
    const bytes = encodeEpochBegan({ ...end, nowMs: Date.parse(at) }, "89abcdef".repeat(4), new Uint8Array(16));
    expect(Buffer.from(bytes).toString()).toBe(golden("epoch began"));
    const commit = decodeCommit(bytes);
    expect(rootsHold(commit)).toBe(true);
    expect(epochFault(commit, head.epoch)).toBeUndefined();
    expect(changesOfCommit(commit, roomModel, new Map())).toEqual([]);
    expect(changesOfCommandRows(commit)).toEqual([]);
  });

  test("commit that closes an epoch", () => {
    const end = { lane: "rooms.0", n: 2, hash: golden("commit hash"), epoch: head.epoch, term: 1 } as const;
    const bytes = encodeEpochClosed({ ...end, nowMs: Date.parse(at) }, "89abcdef".repeat(4), new Uint8Array(16));
    expect(Buffer.from(bytes).toString()).toBe(golden("epoch closed"));
    const commit = decodeCommit(bytes);
    expect(rootsHold(commit)).toBe(true);
    expect([closedFor(commit), epochFault(commit, head.epoch)]).toEqual(["89abcdef".repeat(4), undefined]);
    expect(changesOfCommit(commit, roomModel, new Map())).toEqual([]);
    expect(changesOfCommandRows(commit)).toEqual([]);
  });

  test("leaf and root", () => {
    expect(encodeEvent(event)).toBe(golden("event"));
    expect(leafHash(encodeEvent(event))).toBe(golden("leaf"));
    const leaves = ["a", "b", "c"].map(leafHash);
    expect(merkleRoot(leaves)).toBe(golden("root of a, b, c"));
  });

  test("envelope", () => {
    expect(JSON.stringify(body)).toBe(golden("envelope"));
    expect(unseal(body, key, place)).toEqual({ text: "Who's there?" });
    expect(() => unseal(body, key, `${place}x`)).toThrow();
  });

  test("frame", () => {
    const opened = { ...event, data: { body: { text: "Who's there?" } } };
    const [one] = liveFrames([opened], at, roomModel);
    expect(Buffer.from(one?.body ?? []).toString()).toBe(golden("frame"));
    const [two] = liveFrames([opened, { ...opened, s: 3, m: 2 }], at, roomModel);
    expect(Buffer.from(two?.body ?? []).toString()).toBe(golden("frame of two"));
  });

  test("beat", () => {
    const { lane, epoch, term, writer } = head;
    const bytes = encodeBeat({ lane, epoch, term, writer, seq: 9, from: 7, to: 9, rooms: [[room, 4]] });
    expect(Buffer.from(bytes).toString()).toBe(golden("beat"));
    expect(decodeBeat(bytes)).toMatchObject({ seq: 9, rooms: [[room, 4]] });
    expect(decodeBeat(Buffer.from("{}"))).toBeUndefined();
  });

  test("instance beat", () => {
    const beat = { instance: "0123456789ab", leaving: false };
    expect(Buffer.from(encodeInstanceBeat(beat)).toString()).toBe(golden("instance beat"));
    expect(decodeInstanceBeat(encodeInstanceBeat(beat))).toEqual(beat);
  });

  test("what edges say when a session ends", () => {
    const by = "edge-0123456789ab";
    const revoke = {
      id: "0123456789ab",
      by,
      position: "p1.e30",
      ended: { session: "0192f0c4-8e00-7000-8000-000000000003" },
    };
    expect(Buffer.from(encodeEdgeRevoke(revoke)).toString()).toBe(golden("edge revoke"));
    expect(decodeEdgeRevoke(encodeEdgeRevoke(revoke))).toEqual(revoke);
    expect(decodeEdgeRevoke(encodeEdgeRevoke({ ...revoke, ended: { user: "u" } }))?.ended).toEqual({ user: "u" });
    expect(decodeEdgeRevoke(encodeEdgeRevoke({ ...revoke, by: "a.>" }))).toBeUndefined();
    const confirm = { id: "0123456789ab", edge: by };
    expect(Buffer.from(encodeEdgeConfirm(confirm)).toString()).toBe(golden("edge confirm"));
    expect(decodeEdgeConfirm(encodeEdgeConfirm(confirm))).toEqual(confirm);
    expect(decodeEdgeConfirm(Buffer.from("{"))).toBeUndefined();
  });

  test("position token", () => {
    const token = encodePosition({ "rooms.0": ["01234567", 42], "accounts.0": ["89abcdef", 7] });
    expect(token).toBe(golden("position"));
    expect(decodePosition(token)).toEqual({ "rooms.0": ["01234567", 42], "accounts.0": ["89abcdef", 7] });
  });

  test("derived ids and lanes", () => {
    expect(derivedId(Date.parse(at), "accounts.0:7", room, "evictMember")).toBe(golden("derived id"));
    expect(idOfKeyedHash("ab".repeat(32))).toBe(golden("dialog id"));
    expect(laneOf("rooms", room, 16)).toBe(golden("lane of 16"));
    expect(laneOf("accounts", ana, 16)).toBe("accounts.0");
    expect(laneOf("content", room, 16)).toBe("content.0");
  });
});

describe("the stored events of files", () => {
  const file = "0192f0c4-8e02-7000-8000-000000000003";
  const hash = "ab".repeat(32);
  const claim = { owner: ana, room, hash, size: 12, type: "text/plain", chunks: "q".repeat(43), source: null };
  const shown = { id: file, name: "a.txt", size: 12, type: "text/plain" };
  const [ofFile, ofBlob] = [{ kind: "file", id: file } as const, { kind: "blob", id: hash } as const];
  const [inRoom, store] = [{ kind: "room", id: room } as const, { kind: "store", id: "local" } as const];
  const nodeId = "0192f0c4-8e03-7000-8000-000000000004";
  const nodeData = { name: "attic", host: "10.0.0.7", port: 22, user: "hub", path: "/data" };
  const pressure = { level: "copy", used: 6, budget: 10 };
  const withFiles = { files: [file], body: { text: "Look.", files: [shown] } };
  const change = { message: 2, edits: [] };
  const events: readonly [name: string, model: ContextModel, event: DomainEvent][] = [
    ["file claimed", contentModel, made("FileClaimed.v1", ofFile, ana, { ...claim, body: { name: "a.txt" } })],
    ["file posted", contentModel, made("FilePosted.v1", ofFile, "system", { room, s: 2 })],
    ["file released", contentModel, made("FileReleased.v1", ofFile, "system", { room, hash, reason: "expired" })],
    [
      "node added",
      contentModel,
      made("NodeAdded.v1", { kind: "node", id: nodeId }, "operator", {
        ...nodeData,
        hostKey: `SHA256:${"q".repeat(43)}`,
      }),
    ],
    [
      "replica verified",
      contentModel,
      made("ReplicaVerified.v1", ofBlob, "placement", { node: nodeId, name: "cd".repeat(32), size: 12 }),
    ],
    ["local copy dropped", contentModel, made("LocalCopyDropped.v1", ofBlob, "placement", {})],
    ["local copy kept", contentModel, made("LocalCopyKept.v1", ofBlob, ana, {})],
    ["disk pressure raised", contentModel, made("DiskPressureRaised.v1", store, "placement", pressure)],
    [
      "disk pressure cleared",
      contentModel,
      made("DiskPressureCleared.v1", store, "placement", { ...pressure, level: "none" }),
    ],
    [
      "message with files posted",
      roomModel,
      { ...made("MessageWithFilesPosted.v1", inRoom, ana, withFiles), s: 2, m: 1 },
    ],
    [
      "message with files edited",
      roomModel,
      { ...made("MessageWithFilesEdited.v1", inRoom, ana, { ...change, ...withFiles }), s: 3 },
    ],
    [
      "message with files deleted",
      roomModel,
      { ...made("MessageWithFilesDeleted.v1", inRoom, ana, { ...change, files: [file] }), s: 3 },
    ],
    ["claim voided", roomModel, made("ClaimVoided.v1", inRoom, "system", { file })],
  ];

  test.each(events)("%s", (name, model, event) => {
    const definition = storedDefinition(event.type, model);
    expect(definition?.data.safeParse(event.data).success).toBe(true);
    const stored: StoredEvent = { ...sealEvent(event, model, () => key), salt: "AAAAAAAAAAAAAAAAAAAAAA" };
    const data = Object.fromEntries(
      Object.entries(stored.data).map(([field, value]) => {
        if (!Object.hasOwn(definition?.sealed ?? {}, field)) return [field, value];
        // As `sealEvent` does it, with the nonce of this page.
        const { kind, id } = event.subject;
        const nonce = new Uint8Array(12).fill(2);
        return [field, { ...seal(event.data[field] ?? null, key, `${event.type}|${kind}|${id}|${field}`, nonce) }];
      }),
    );
    const bytes = encodeEvent({ ...stored, data });
    expect(bytes).toBe(golden(name));
    expect(openEvent(JSON.parse(bytes), model, new Map([[key.id, key]]))).toEqual(upcast(event, model));
  });

  test("every event of files is among them", () => {
    const shownHere = events.map(([, , { type }]) => type);
    expect(shownHere.filter((type) => type in contentModel.events)).toEqual(Object.keys(contentModel.events));
    expect(events.flatMap(([, model, one]) => keyNamesOf(one, model))).toEqual(
      Array.from({ length: 3 }, () => `body:${room}:${ana}`),
    );
  });

  function made(type: string, subject: Subject, by: string, data: DomainEvent["data"]): DomainEvent {
    return { type, subject, by, data };
  }
});

describe("what is no stored format", () => {
  test.each([
    "",
    "{",
    "[]",
    "{}",
    '{"v":2}',
    Buffer.from(encodeCommit(head, [entry]))
      .toString()
      .slice(0, -1),
  ])("%s is refused as corrupt", (text) => {
    expect(() => decodeCommit(Buffer.from(text))).toThrow(CorruptCommit);
  });

  test.each([
    ['"n":2', '"n":0'],
    ['"n":2', '"n":"2"'],
    ['"term":1', '"term":1.5'],
    ['"lane":"rooms.0"', '"lane":"rooms"'],
    ['"lane":"rooms.0"', '"lane":"others.0"'],
    ['"epoch":"0123', '"epoch":"123'],
    ['"prevHash":"f', '"prevHash":"'],
    ['"digest":"0', '"digest":"'],
    ['"entries":[', '"entries":[null,'],
    ['"events":[', '"events":[{},'],
    ['"kind":"room"', '"kind":"shoe"'],
    ['"s":2,"m":1,"by"', '"s":0,"m":1,"by"'],
    ['"salt":"A', '"salt":null,"x":"A'],
    ['"result":{', '"outcome":{'],
  ])("with %s as %s it is corrupt", (right, wrong) => {
    const text = Buffer.from(encodeCommit(head, [entry])).toString();
    expect(text).toContain(right);
    expect(() => decodeCommit(Buffer.from(text.replace(right, wrong)))).toThrow(CorruptCommit);
  });

  test("an altered event no longer fits its root", () => {
    const text = Buffer.from(encodeCommit(head, [entry])).toString();
    expect(rootsHold(decodeCommit(Buffer.from(text.replace('"m":1,"by"', '"m":2,"by"'))))).toBe(false);
  });

  test.each(["", "p1.", "p2.e30", "p1.e30x", `p1.${btoa('{"rooms.0":["xyz",1]}')}`, `p1.${"A".repeat(5_000)}`])(
    "%s is no position",
    (token) => {
      const decoded = decodePosition(token);
      expect(decoded === undefined || Object.keys(decoded).length === 0).toBe(true);
    },
  );
});

describe("merging positions", () => {
  const token = (n: number, epoch = "01234567") => encodePosition({ "rooms.0": [epoch, n] });

  test("takes the further one of one epoch, the later-told one of two", () => {
    expect(mergeTokens(undefined, token(3))).toBe(token(3));
    expect(mergeTokens(token(5), token(3))).toBe(token(5));
    expect(mergeTokens(token(5), token(3, "89abcdef"))).toBe(token(3, "89abcdef"));
  });

  test("keeps what only one of them knows", () => {
    const accounts = encodePosition({ "accounts.0": ["01234567", 9] });
    expect(decodePosition(mergeTokens(accounts, token(3)))).toEqual({
      "accounts.0": ["01234567", 9],
      "rooms.0": ["01234567", 3],
    });
  });
});
