import { expect, test } from "vitest";
import { Places } from "./places.ts";

const id = (last: string) => `01968a5e-7c1a-7000-8000-3d2c1b0a9f8${last}`;
const event = { r: id("a"), s: 44, t: "messagePosted", by: id("b"), at: "2026-11-23T10:00:01.000Z" };
const came = { r: id("1"), s: 7, t: "messagePosted", by: id("2"), at: "2027-01-01T00:00:00.000Z" };

test("ids, times and numbers of events may be others, and the same stays the same", () => {
  const places = new Places();
  expect(places.differences(event, came)).toEqual([]);
  expect(places.differences(event, { ...came, s: 8 })).toEqual([]);
  expect(places.fill({ [event.r]: ["a1b2c3d4", 1], by: event.by })).toEqual({ [came.r]: ["a1b2c3d4", 1], by: came.by });
  expect(
    places.differences({ resume: { [event.r]: ["a1b2c3d4", 9] } }, { resume: { [came.r]: ["00000000", 2] } }),
  ).toEqual([]);
});

test.each([
  ["another type", { ...came, t: "messageEdited" }],
  ["a member too many", { ...came, more: 1 }],
  ["a member too few", { ...came, at: undefined }],
  ["a text for a number", { ...came, s: "7" }],
  ["a number that counts nothing", { ...came, s: -1 }],
  ["a time that is none", { ...came, at: "yesterday" }],
  ["an id that is none", { ...came, r: "lobby" }],
  ["two for one", { ...came, by: came.r }],
])("%s is a difference", (_what, actual) => {
  const places = new Places();
  expect(places.differences(event, JSON.parse(JSON.stringify(actual)))).toHaveLength(1);
});

test("an id that stood for another one is a difference, and so is a constant", () => {
  const places = new Places();
  places.bind(event.r, came.r);
  expect(places.differences(event, { ...came, r: id("3") })).toHaveLength(1);
  expect(places.differences({ code: 106, retry: true }, { code: 501, retry: false })).toHaveLength(2);
  expect(places.differences([1, 2], [1])).toHaveLength(1);
  expect(places.differences({ name: null }, { name: "Engine" })).toHaveLength(1);
});
