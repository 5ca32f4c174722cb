import { describe, expect, test } from "vitest";
import { accountModel } from "../account/index.ts";
import { contentModel } from "../content/index.ts";
import { roomModel } from "../room/index.ts";
import { LogBuilder } from "../testing/logBuilder.ts";
import { memoryVault } from "../testing/memoryVault.ts";
import type { LaneId } from "../values/ids.ts";
import { type Commit, decodeCommit } from "./commit.ts";
import type { ContextModel, DomainEvent, Subject } from "./event.ts";
import { MemoryTables } from "./memoryTables.ts";
import { markOn, ParkedSubjects } from "./parked.ts";
import { ParkingFold, readCommit } from "./parkingFold.ts";
import type { VaultKey } from "./ports.ts";
import { sealedKeyIds } from "./sealing.ts";

const hash = "a".repeat(64);
const event = (kind: Subject["kind"], id: string, type: string, data: DomainEvent["data"]): DomainEvent => ({
  type,
  subject: { kind, id },
  by: "ann",
  data,
});
const room = (id: string, type: string, s: number, data: DomainEvent["data"]) => ({
  ...event("room", id, type, data),
  s,
});
const created = (id: string) =>
  room(id, "RoomCreated.v1", 1, { type: "group", name: id, members: [{ user: "ann", role: "owner" }] });
const posted = (id: string, s: number) => ({ ...room(id, "MessagePosted.v1", s, { body: { text: "x" } }), m: 1 });
const unknown = (kind: Subject["kind"], id: string, data = {}) => event(kind, id, "Later.v9", data);
const claimed = (id: string) => {
  const data = { owner: "ann", room: "r", hash, size: 1, type: "text/plain", chunks: "x", source: null };
  return event("file", id, "FileClaimed.v1", { ...data, body: { name: "n" } });
};
const registered = (id: string, emailHash: string) =>
  event("account", id, "AccountRegistered.v1", { personal: { email: "e", emailHash, name: "n", passHash: "p" } });

/** Folds commits of these events, an entry each. */
async function folded(lane: LaneId, model: ContextModel, commits: readonly (readonly DomainEvent[])[]) {
  const vault = memoryVault();
  const log = new LogBuilder({ lane, epoch: "0".repeat(32), model, vault });
  const fold = new ParkingFold(model);
  const tables = new MemoryTables(model.tables);
  const read: Commit[] = [];
  let keys: ReadonlyMap<string, VaultKey> = new Map();
  for (const events of commits) {
    const commit = decodeCommit(await log.commit(events.map((one) => [one])));
    read.push(commit);
    keys = await vault.byId(sealedKeyIds(read, model));
    tables.apply(fold.take(commit, keys).changes);
  }
  const marks = [...fold.marks].map(({ kind, id, from }) => `${kind} ${id} ${from}`);
  return { tables, marks, commits: read, keys, vault };
}

describe("a fold around what can't be applied", () => {
  test("applies all of a room's events of a commit or none, and all of other rooms, and the rows of all commands", async () => {
    const { tables, marks } = await folded("rooms.0", roomModel, [
      [created("a"), created("b")],
      [posted("a", 2), posted("b", 2), unknown("room", "a")],
      [room("a", "RoomRenamed.v1", 3, { name: "later" }), room("b", "RoomRenamed.v1", 3, { name: "later" })],
    ]);
    expect(marks).toEqual(["room a 2"]);
    expect(tables.get("rooms/a")).toMatchObject({ s: 1, name: "a" });
    expect(tables.get("rooms/b")).toMatchObject({ s: 3, name: "later" });
    expect(tables.rows("room_commands")).toHaveLength(7);
  });

  test("parks what was altered, but not what was erased, nor what no vault holds", async () => {
    const { commits, keys, vault } = await folded("rooms.0", roomModel, [[created("a")], [posted("a", 2)]]);
    const [first, second] = commits;
    if (first === undefined || second === undefined) throw new Error("two were made");
    const fold = new ParkingFold(roomModel);
    fold.take(first, keys);
    expect(fold.take(second, new Map()).parked).toEqual([]);
    const altered = JSON.parse(JSON.stringify(second).replace(/"c":"[^"]*"/, '"c":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"'));
    expect(new ParkingFold(roomModel).take(altered, keys).parked).toMatchObject([{ kind: "room", id: "a", from: 2 }]);
    const bare = JSON.parse(JSON.stringify(second).replace(/"body":\{[^}]*\}/, '"body":null'));
    const ids = sealedKeyIds([bare], roomModel);
    expect(new ParkingFold(roomModel).take(bare, await vault.byId(ids)).parked).toHaveLength(1);
  });

  test("parks a file with its bytes, and with them the next file that has the same, whatever the event is called", async () => {
    const { tables, marks } = await folded("content.0", contentModel, [
      [claimed("f"), claimed("g")],
      [unknown("file", "f", { bytes: hash })],
      [claimed("h"), event("file", "g", "FilePosted.v1", { room: "r", s: 1 })],
      [event("file", "g", "FileReleased.v1", { room: "r", hash, reason: "deleted" })],
    ]);
    expect(marks).toEqual(["file f 2", `blob ${hash} 2`, "file h 3", "file g 4"]);
    expect(tables.get(`blobs/${hash}`)).toMatchObject({ refs: 2 });
    expect(tables.get("files/g")).toMatchObject({ state: "posted" });
    expect(tables.get("files/h")).toBeNull();
  });

  test("lets nobody take an address that a parked account may have", async () => {
    const { tables, marks } = await folded("accounts.0", accountModel, [
      [registered("a", "e1"), registered("b", "e2")],
      [unknown("account", "a")],
      [event("account", "b", "AccountClosed.v1", { personal: { emailHash: "e2" } }), registered("c", "e3")],
    ]);
    expect(marks).toEqual(["account a 2", "account c 3"]);
    expect(tables.get("emails/e2")).toBeNull();
    expect(tables.get("emails/e3")).toBeNull();
  });

  test("gives who reads the head all that can be applied, and the subjects of the rest", async () => {
    const { commits, keys } = await folded("rooms.0", roomModel, [
      [created("a")],
      [unknown("room", "a"), posted("a", 2)],
    ]);
    const read = commits.map((commit) => readCommit(commit, roomModel, keys));
    expect(read.map(({ parked }) => parked.length)).toEqual([0, 1]);
    expect(read[1]?.events.map(({ type }) => type)).toEqual(["MessagePosted.v1"]);
  });
});

describe("a row can't be had", () => {
  const tableOf = (name: string) => {
    const all = [...roomModel.tables, ...accountModel.tables, ...contentModel.tables];
    const table = all.find((one) => one.name === name);
    if (table === undefined) throw new Error(name);
    return table;
  };
  const parked = new ParkedSubjects(
    (["room a", "account a", `blob ${hash}`, "node n"] as const).map((text) => {
      const [kind, id] = text.split(" ") as [Subject["kind"], string];
      return { kind, id, from: 1, type: "x", reason: "y" };
    }),
  );
  const isParked = (name: string, key: readonly string[], row: object | null) =>
    markOn(tableOf(name), key, row as never, parked) !== undefined;

  test.each<[string, string[], object | null]>([
    ["rooms", ["a"], {}],
    ["rooms", ["a"], null],
    ["memberships", ["a", "ann"], null],
    ["messages", ["a:7"], null],
    ["room_files", ["a", "f"], null],
    ["sessions", ["s"], { user_id: "a" }],
    ["sessions", ["s"], null],
    ["emails", ["e"], null],
    ["emails", ["e"], { user_id: "a" }],
    ["files", ["f"], { hash }],
    ["replicas", [hash, "m"], null],
    ["node_names", ["box"], null],
  ])("of %s %j when it is, or might be, a parked subject's", (name, key, row) => {
    expect(isParked(name, key, row)).toBe(true);
  });

  test.each<[string, string[], object | null]>([
    ["rooms", ["b"], null],
    ["messages", ["b:7"], null],
    ["sessions", ["s"], { user_id: "b" }],
    ["emails", ["e"], { user_id: "b" }],
    ["files", ["f"], { hash: "b".repeat(64) }],
    ["files", ["f"], null],
    ["blobs", ["b".repeat(64)], null],
    ["user_rooms", ["a", "rooms.0"], null],
    ["room_commands", ["rooms.0", "a", "k"], null],
  ])("but of %s %j it can, which are another's", (name, key, row) => {
    expect(isParked(name, key, row)).toBe(false);
  });
});
