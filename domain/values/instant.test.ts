import { expect, test } from "vitest";
import { parseInstant } from "./instant.ts";

test("an instant is a date, or a date and a time with its zone", () => {
  expect(parseInstant("2026-11-23")).toBe(Date.UTC(2026, 10, 23));
  expect(parseInstant("2026-11-23T10:00Z")).toBe(Date.UTC(2026, 10, 23, 10));
  expect(parseInstant("2026-11-23T10:00:00.5+02:00")).toBe(Date.UTC(2026, 10, 23, 8, 0, 0, 500));
});

test.each([
  "",
  "yesterday",
  "2026",
  "2026-02-31",
  "2026-13-01",
  "2026-11-23T25:00:00Z",
  "2026-11-23T10:00:00",
  "2026-11-23 10:00",
  "2026-11-23 (noon)",
])("%j is none", (text) => {
  expect(parseInstant(text)).toBeUndefined();
});
