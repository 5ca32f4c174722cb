import { expect, test } from "vitest";
import { checkedCommit } from "./checkedCommit.ts";
import { decodeCommit, encodeCommit, encodeEntry, encodeEvent, type StoredEvent } from "./commit.ts";
import { leafHash } from "./merkle.ts";

const event = (name: string): StoredEvent => {
  return { type: "RoomRenamed.v1", subject: { kind: "room", id: "r" }, s: 1, by: "a", salt: "AA", data: { name } };
};
const entryOf = (events: readonly StoredEvent[], result: null | object = null) =>
  encodeEntry({ key: { actor: "a", id: "k" }, kind: "k", digest: "0".repeat(64), result: result as null, events });
const commitOf = (...entries: string[]) => {
  const head = { lane: "rooms.0", epoch: "0".repeat(32), n: 1, term: 1, writer: "w", prevHash: "" } as const;
  return Buffer.from(encodeCommit({ ...head, at: "2026-01-01T00:00:00.000Z" }, entries));
};
const spoiled = (bytes: Buffer, from: string, to: string) => Buffer.from(bytes.toString().replace(from, to));
const misfit = "an entry's root does not fit its events";

test.each([
  ["no entries", commitOf()],
  ["an event each", commitOf(entryOf([event('é😀 "events":[')]), entryOf([event("b")]))],
  ["brackets in events", commitOf(entryOf([event("[a]")]), entryOf([event("]b")]), entryOf([event("c[")]))],
  ["several events, and none", commitOf(entryOf([event("a"), event("b")]), entryOf([]), entryOf([event("c")]))],
  ["a result like a list of events", commitOf(entryOf([event("a")], { events: [1], root: "x" }))],
])("a commit with %s is the one that is decoded", (_, bytes) => {
  expect(checkedCommit(bytes)).toEqual(decodeCommit(bytes));
});

test("what is no commit, and what its root does not name, is said", () => {
  const bytes = commitOf(entryOf([event("a")]), entryOf([event("b"), event("c")]));
  for (const name of ["a", "b", "c"])
    expect(checkedCommit(spoiled(bytes, `"name":"${name}"`, '"name":"x"'))).toBe(misfit);
  expect(checkedCommit(spoiled(bytes, '"s":1', '"s":0'))).toBe("a commit has not the shape of version 1");
  expect(checkedCommit(spoiled(bytes, '"salt"', "salt"))).toBe("a commit is not JSON");
  expect(checkedCommit(bytes.subarray(0, -1))).toBe("a commit is not JSON");
});

test("an entry that shows one event to those who check and another one to those who read is found", () => {
  const [shown, read] = [encodeEvent(event("shown")), encodeEvent(event("read"))];
  const root = leafHash(shown);
  const sound = commitOf(entryOf([event("shown")])).toString();
  const twice = sound.replace(`"events":[${shown}]`, `"events":[${shown}],"root":"${root}","events":[${read}]`);
  const inResult = sound
    .replace('"result":null', `"result":{"events":[${shown}],"root":"${root}"}`)
    .replace(`"events":[${shown}],"root":"${root}"}]`, `"events":[${read}],"root":"${root}"}]`);
  for (const text of [twice, inResult]) {
    expect(decodeCommit(Buffer.from(text)).entries[0]?.events[0]?.data.name).toBe("read");
    expect(checkedCommit(Buffer.from(text))).toBe(misfit);
  }
});
