import type { RoomEvent } from "@connect-hub/protocol";
import { expect, test } from "vitest";
import type { Acknowledged } from "../../demo/journal.ts";
import { type RoomPart, verdictOn } from "./verdict.ts";

const at = "2026-01-01T00:00:00.000Z";
const told = (s: number, by: string, text: string): Acknowledged => ({
  key: `key ${s}`,
  room: "r",
  s,
  by,
  method: "postMessage",
  data: { room: "r", text },
});
const shown = (s: number, by: string, text: string | null): RoomEvent => ({
  r: "r",
  s,
  at,
  by,
  t: "messagePosted",
  d: { text },
});
const entries = [told(4, "ada", "a"), told(6, "ben", "b"), told(5, "ada", "c")];
const events = [shown(4, "ada", "a"), shown(5, "ada", "c"), shown(6, "ben", "b")];
const part: RoomPart = { room: "r", from: 3, events, entries, deleted: new Set() };

test("history that is what people were told has nothing wrong with it", () => {
  expect(verdictOn(part)).toEqual({ lost: [], doubled: [], misordered: [] });
});

test("a deleted text may be blank, no other", () => {
  const blanked = [shown(4, "ada", null), ...events.slice(1)];
  expect(verdictOn({ ...part, events: blanked, deleted: new Set([4]) })).toMatchObject({ lost: [], doubled: [] });
  expect(verdictOn({ ...part, events: blanked })).toMatchObject({
    lost: ["r 4: postMessage a"],
    doubled: ['r 4: messagePosted {"text":null}'],
  });
});

test("what was acknowledged and is not there is lost", () => {
  expect(verdictOn({ ...part, events: events.slice(0, 2) }).lost).toEqual(["r 6: postMessage b"]);
});

test("what is there twice, or was never sent, is doubled", () => {
  expect(verdictOn({ ...part, events: [...events, shown(7, "ben", "b")] }).doubled).toHaveLength(1);
  expect(verdictOn({ ...part, events: [...events, shown(7, "eve", "x")] }).doubled).toHaveLength(1);
});

test("what is in another place, after a hole, or before what its author had done is misordered", () => {
  const swapped = [shown(4, "ada", "c"), shown(5, "ada", "a"), shown(6, "ben", "b")];
  expect(verdictOn({ ...part, events: swapped }).misordered).toEqual([
    "r 4: postMessage a stands at 5",
    "r 5: postMessage c stands at 4",
  ]);
  const holed = { ...part, events: [shown(4, "ada", "a"), shown(6, "ben", "b")], entries: entries.slice(0, 2) };
  expect(verdictOn(holed).misordered).toEqual(["r: after 4 comes 6"]);
  const back = { ...part, entries: [told(5, "ada", "c"), told(4, "ada", "a"), told(6, "ben", "b")] };
  expect(verdictOn(back).misordered).toEqual(["r 4: its author was told 5 before"]);
});
