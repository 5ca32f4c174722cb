import type { Json } from "@connect-hub/domain/values";
import type { RoomEvent } from "@connect-hub/protocol";
import { describe, expect, test } from "vitest";
import type { Acknowledged } from "./journal.ts";
import { type Evidence, judge, type RoomHistory } from "./judge.ts";

const room = "r";
const at = "2026-01-01T00:00:00.000Z";
const post = (s: number, by: string, text: string | null): RoomEvent => ({
  r: room,
  s,
  t: "messagePosted",
  d: { text },
  by,
  at,
});
const created: RoomEvent = {
  r: room,
  s: 1,
  t: "roomCreated",
  d: { type: "group", name: "x", members: [] },
  by: "a",
  at,
};

/** Two people speak; the second line is edited, the third deleted. */
const journal: readonly Acknowledged[] = [
  { key: "k1", by: "a", method: "createRoom", data: { name: "x" }, room, s: 1 },
  { key: "k2", by: "a", method: "postMessage", data: { room, text: "one" }, room, s: 2 },
  { key: "k3", by: "b", method: "postMessage", data: { room, text: "two" }, room, s: 3 },
  { key: "k4", by: "b", method: "editMessage", data: { room, message: 3, text: "two!" }, room, s: 4 },
  { key: "k5", by: "a", method: "postMessage", data: { room, text: "three" }, room, s: 5 },
  { key: "k6", by: "a", method: "deleteMessage", data: { room, message: 5 }, room, s: 6 },
  { key: "k7", by: "b", method: "postMessage", data: { room, text: "four" }, room, s: 7 },
];
const history: readonly RoomEvent[] = [
  created,
  post(2, "a", "one"),
  post(3, "b", "two"),
  // A database may give the fields of an object back in another order.
  { r: room, s: 4, t: "messageEdited", d: { text: "two!", message: 3 }, by: "b", at },
  post(5, "a", null),
  { r: room, s: 6, t: "messageDeleted", d: { message: 5 }, by: "a", at },
  post(7, "b", "four"),
];
const live = history.map((event) => (event.s === 5 ? post(5, "a", "three") : event));

function verdict(change: Partial<Evidence> & { shown?: readonly RoomEvent[]; script?: readonly string[] } = {}) {
  const { shown = history, script = ["a", "b", "a", "b"], ...more } = change;
  const rooms: RoomHistory[] = [{ room, title: "I.1", events: shown, script }];
  const findings = judge({ journal, rooms, records: [{ who: "a", room, kind: "live", events: live }], ...more });
  return findings.filter(({ faults }) => faults.length > 0).map(({ check }) => check);
}
const liveCheck = "what clients saw live is the history";

test("a sound system has no faults", () => {
  expect(verdict()).toEqual([]);
});

test("a lost message is missing", () => {
  expect(verdict({ shown: history.slice(0, -1) })).toEqual(["nothing acknowledged is missing", liveCheck]);
});

test("a doubled message is extra, at its end or with a number twice", () => {
  const doubled = ["nothing is doubled or made up", liveCheck];
  expect(verdict({ shown: [...history, post(8, "b", "four")] })).toEqual(doubled);
  const twice = [...history, post(7, "b", "four")];
  expect(verdict({ shown: twice })).toEqual([doubled[0], "everything is in its order, without holes", liveCheck]);
});

test("an altered text is altered, neither missing nor extra", () => {
  const altered = history.map((event) => (event.s === 7 ? post(7, "b", "fou r") : event));
  expect(verdict({ shown: altered })).toEqual(["every text is as it was sent", liveCheck]);
});

test("a deleted text that is still shown is altered", () => {
  const shown = history.map((event) => (event.s === 5 ? post(5, "a", "three") : event));
  expect(verdict({ shown })).toEqual(["every text is as it was sent"]);
});

test("two messages that changed places are out of order, neither missing nor altered", () => {
  const shown = history.map((event) =>
    event.s === 2 ? post(2, "b", "two") : event.s === 3 ? post(3, "a", "one") : event,
  );
  expect(verdict({ shown })).toEqual(["everything is in its order, without holes", liveCheck]);
});

test("a hole, and a line of somebody else, are disorder", () => {
  const order = "everything is in its order, without holes";
  expect(verdict({ shown: history.filter(({ s }) => s !== 3) })).toContain(order);
  expect(verdict({ script: ["a", "a", "b", "b"] })).toEqual([order]);
});

test("a client's record may begin later, but what it has must be the history", () => {
  const record = (events: readonly RoomEvent[]) => verdict({ records: [{ who: "b", room, kind: "resumed", events }] });
  expect(record(history.slice(3))).toEqual([]);
  expect(record([])).toEqual(["what clients resumed is the history"]);
  expect(record(history.slice(0, -1))).toEqual(["what clients resumed is the history"]);
  expect(record(history.filter(({ s }) => s !== 4))).toEqual(["what clients resumed is the history"]);
  expect(record(history.map((event) => ({ ...event, at: "x" })))).toEqual(["what clients resumed is the history"]);
});

describe("a message with files", () => {
  const shown = { id: "f1", name: "a.txt", size: 1, type: "text/plain" };
  const posted = (files: Json): RoomEvent => ({
    r: room,
    s: 2,
    t: "messagePosted",
    d: { text: "see", files },
    by: "a",
    at,
  });
  const deletion: RoomEvent = { r: room, s: 3, t: "messageDeleted", d: { message: 2 }, by: "a", at };
  const sent: readonly Acknowledged[] = [
    { key: "k1", by: "a", method: "createRoom", data: { name: "x" }, room, s: 1 },
    { key: "k2", by: "a", method: "postMessage", data: { room, text: "see", files: ["f1"] }, room, s: 2 },
  ];
  const faulty = (journal: readonly Acknowledged[], events: readonly RoomEvent[], seen = events) =>
    judge({
      journal,
      rooms: [{ room, title: "L", events, script: undefined }],
      records: [{ who: "a", room, kind: "live", events: seen }],
    }).flatMap(({ check, faults }) => (faults.length > 0 ? [check] : []));

  test("shows the files that it was sent with, and no others", () => {
    expect(faulty(sent, [created, posted([shown])])).toEqual([]);
    expect(faulty(sent, [created, posted([{ ...shown, id: "f2" }])])).toEqual(["every text is as it was sent"]);
    expect(faulty(sent, [created, posted([])])).toEqual(["every text is as it was sent"]);
  });

  test("has none of them once it is deleted, whatever was seen before", () => {
    const gone: Acknowledged = { key: "k3", by: "a", method: "deleteMessage", data: { room, message: 2 }, room, s: 3 };
    const blank: RoomEvent = { ...posted([]), d: { text: null, files: [] } };
    expect(faulty([...sent, gone], [created, blank, deletion], [created, posted([shown]), deletion])).toEqual([]);
    const kept: RoomEvent = { ...posted([]), d: { text: null, files: [shown] } };
    expect(faulty([...sent, gone], [created, kept, deletion])).toEqual(["every text is as it was sent"]);
  });
});
