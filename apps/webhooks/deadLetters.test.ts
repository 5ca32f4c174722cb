import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ParkedSubject } from "@connect-hub/events";
import { afterAll, expect, test } from "vitest";
import { deadLetters } from "./deadLetters.ts";

const folder = mkdtempSync(join(tmpdir(), "connect-hub-dead-"));
afterAll(() => rmSync(folder, { recursive: true }));

const dead = (id: string): ParkedSubject => ({
  ...{
    subject: { kind: "room", id },
    lane: "rooms.0",
    attempts: 8,
    reason: "no",
    parkedAt: "2026-01-01T00:00:00.000Z",
  },
  event: { id: `rooms.0:e:1:0`, type: "RoomRenamed.v1", n: 1, index: 0 },
});

test("senders that write to one file leave each other's letters alone", () => {
  const path = join(folder, "both.jsonl");
  appendFileSync(path, "");
  const lines = () =>
    readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  const [one, two] = [deadLetters(path, "one"), deadLetters(path, "two")];
  expect(one.note([dead("a")]).map(({ subject }) => subject.id)).toEqual(["a"]);
  expect(two.note([])).toEqual([]);
  expect(two.note([dead("a")])).toHaveLength(1);
  expect(lines()).toMatchObject([
    { durable: "one", dead: {} },
    { durable: "two", dead: {} },
  ]);
  one.note([]);
  expect(lines().slice(2)).toMatchObject([{ durable: "one", delivered: expect.any(String), subject: { id: "a" } }]);
  // One that starts anew knows its own.
  expect(deadLetters(path, "two").note([dead("a")])).toEqual([]);
});
