import type { Commit } from "@connect-hub/domain/kernel";
import { expect, test } from "vitest";
import { eventLines, eventText } from "./eventLine.ts";

const commit: Commit = {
  v: 1,
  lane: "rooms.0",
  epoch: "0123456789abcdef0123456789abcdef",
  n: 7,
  term: 2,
  writer: "w",
  prevHash: "",
  at: "2026-01-01T00:00:00.000Z",
  entries: [
    {
      key: { actor: "a", id: "k" },
      kind: "postMessage",
      digest: "",
      result: null,
      root: "",
      events: [
        {
          type: "MessagePosted.v1",
          subject: { kind: "room", id: "r1" },
          s: 3,
          m: 1,
          by: "a",
          salt: "secret salt",
          data: { text: { k: "1", alg: "A256GCM", n: "x", c: "y" }, other: { k: "1" } },
        },
      ],
    },
    {
      key: { actor: "a", id: "l" },
      kind: "register",
      digest: "",
      result: null,
      root: "",
      events: [{ type: "AccountClosed.v1", subject: { kind: "account", id: "a1" }, by: "a1", salt: "", data: {} }],
    },
  ],
};

test("an event is one line, and what is sealed stays sealed", () => {
  expect(eventLines(commit).map(eventText)).toEqual([
    '2026-01-01T00:00:00.000Z  rooms.0 7  MessagePosted.v1  room r1 #3  by a  {"text":"sealed","other":{"k":"1"}}',
    "2026-01-01T00:00:00.000Z  rooms.0 7  AccountClosed.v1  account a1  by a1  {}",
  ]);
});

test("a take-over commit has no lines", () => {
  expect(eventLines({ ...commit, entries: [] })).toEqual([]);
});
