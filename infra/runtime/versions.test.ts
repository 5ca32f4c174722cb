import { describe, expect, test } from "vitest";
import { compareVersions, parseVersion } from "./versions.ts";

describe("parseVersion", () => {
  test.each([
    ["nats-server: v2.15.1", "2.15.1"],
    ["postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", "15.14"],
    ["postgres (PostgreSQL) 19beta2", "19"],
    ["Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0", "7.0.15"],
    ["Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "8.1.1"],
    ["usage: something", undefined],
  ])("reads %s", (text, version) => {
    expect(parseVersion(text)).toBe(version);
  });
});

test("versions compare by number, part by part", () => {
  expect(compareVersions("2.9.10", "2.12")).toBeLessThan(0);
  expect(compareVersions("2.12", "2.12.0")).toBe(0);
  expect(compareVersions("18.4", "16")).toBeGreaterThan(0);
});
