import { expect, test } from "vitest";
import { recentEntrants } from "./recentEntrants.ts";

test("who came into a room is known both ways, until the tables have had it for a minute", () => {
  let now = 0;
  const recent = recentEntrants(() => now);
  recent.entered("ada", "r1", 5);
  recent.entered("bob", "r1", 6);
  recent.entered("ada", "r2", 7);
  expect([recent.roomsOf("ada"), recent.usersOf("r1"), recent.roomsOf("eve")]).toEqual([
    ["r1", "r2"],
    ["ada", "bob"],
    [],
  ]);
  now = 59_000;
  recent.prune(() => 7);
  expect(recent.roomsOf("ada")).toEqual(["r1", "r2"]);
  now = 61_000;
  recent.prune((room) => (room === "r1" ? 5 : 6));
  expect([recent.roomsOf("ada"), recent.usersOf("r1")]).toEqual([["r2"], ["bob"]]);
});
