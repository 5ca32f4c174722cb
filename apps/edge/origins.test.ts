import { expect, test } from "vitest";
import { origins, readOrigins } from "./origins.ts";

const from = (origin: string | undefined, host = "hub.example:7750") => ({
  headers: new Map([["host", host], ...(origin === undefined ? [] : [["origin", origin] as const])]),
});

test("without a list only programs and the page of the edge itself are let in", () => {
  const { allows, headersFor } = origins([]);
  for (const origin of [undefined, "http://hub.example:7750", "https://hub.example:7750"])
    expect(allows(from(origin))).toBe(true);
  for (const origin of ["https://hub.example", "https://evil.example", "null", "", "ftp://hub.example:7750"])
    expect(allows(from(origin))).toBe(false);
  expect(headersFor(from("https://evil.example"))).toEqual({ vary: "origin" });
});

test("a listed origin is let in, to the letter, and told what it may read", () => {
  const { allows, headersFor, preflightFor } = origins(["https://chat.example", "http://localhost:5173"]);
  expect(allows(from("https://chat.example"))).toBe(true);
  for (const origin of [
    "http://chat.example",
    "https://chat.example.evil",
    "https://a.chat.example",
    "https://chat.example:8443",
  ])
    expect(allows(from(origin))).toBe(false);
  expect(headersFor(from("http://localhost:5173"))).toMatchObject({
    vary: "origin",
    "access-control-allow-origin": "http://localhost:5173",
  });
  expect(preflightFor(from("https://chat.example"))["access-control-allow-methods"]).toContain("POST");
});

test.each([
  ["https://chat.example, http://localhost:5173", ["https://chat.example", "http://localhost:5173"]],
  ["", []],
  ["*", undefined],
  ["chat.example", undefined],
  ["https://chat.example/", undefined],
  ["https://Chat.example", undefined],
  ["https://chat.example:443", undefined],
  ["ws://chat.example", undefined],
])("the setting %j is read as %j", (setting, listed) => {
  expect(readOrigins(setting)).toEqual(listed);
});
