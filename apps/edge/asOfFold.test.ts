import type { ClientEvent } from "@connect-hub/domain/kernel";
import { expect, test } from "vitest";
import { aboutRoom, messagesOf } from "./asOfFold.ts";

const events = (...some: readonly [t: string, d: ClientEvent["d"]][]): ClientEvent[] =>
  some.map(([t, d], index) => ({ r: "r", s: index + 1, t, d, by: "ann", at: `at ${index + 1}` }));

test("name and members are those of the last event", () => {
  const all = events(
    [
      "roomCreated",
      {
        type: "group",
        name: "Engine",
        members: [
          { user: "bob", role: "owner" },
          { user: "ann", role: "member" },
        ],
      },
    ],
    ["memberAdded", { user: "cat", role: "admin" }],
    ["roomRenamed", { name: "Boiler" }],
    ["memberLeft", { user: "ann", role: "member" }],
    ["memberRemoved", { user: "cat", role: "admin" }],
  );
  expect(aboutRoom(all.slice(0, 2))).toEqual({
    name: "Engine",
    members: [
      { id: "ann", role: "member" },
      { id: "bob", role: "owner" },
      { id: "cat", role: "admin" },
    ],
    memberCount: 3,
  });
  expect(aboutRoom(all)).toEqual({ name: "Boiler", members: [{ id: "bob", role: "owner" }], memberCount: 1 });
});

test("messages are as they are after the last event, and what is not among them is passed over", () => {
  const all = events(
    ["messagePosted", { text: "one" }],
    ["messagePosted", { text: "two", files: [{ id: "f" }] }],
    ["messageEdited", { message: 1, text: "uno" }],
    ["messageDeleted", { message: 2 }],
    ["messageEdited", { message: 99, text: "of before" }],
  );
  const one = { s: 1, by: "ann", at: "at 1", text: "one", edited: false, deleted: false };
  const two = { s: 2, by: "ann", at: "at 2", text: "two", files: [{ id: "f" }], edited: false, deleted: false };
  expect(messagesOf(all.slice(0, 2))).toEqual([one, two]);
  expect(messagesOf([...all, { r: "r", s: 6, t: "hidden" }])).toEqual([
    { ...one, text: "uno", edited: true },
    { ...two, text: null, deleted: true },
  ]);
});
