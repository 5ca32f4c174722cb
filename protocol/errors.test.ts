import { isRetryable, refusalCodes } from "@connect-hub/domain/values";
import { describe, expect, test } from "vitest";
import { errorEntry, errorNames, protocolCodes, wireError } from "./errors.ts";

describe("the error table", () => {
  test("has exactly one row per refusal of the domain and of the protocol", () => {
    expect([...errorNames].sort()).toEqual([...refusalCodes, ...protocolCodes].sort());
  });

  test("numbers every row once", () => {
    const codes = errorNames.map((name) => errorEntry(name).code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  test("agrees with the domain on what may be tried again", () => {
    for (const code of refusalCodes) expect([code, errorEntry(code).retry]).toEqual([code, isRetryable(code)]);
  });

  test("closes with its own number, or with one of the registry", () => {
    for (const name of errorNames) {
      const { code, close } = errorEntry(name);
      if (close !== undefined) expect([4_000 + code, 1009, 1012, 1013]).toContain(close);
    }
  });

  test("gives the wire the number, the name, whether to try again, when, and what was wrong", () => {
    expect(wireError("BadInput", "name: too short")).toEqual({
      code: 201,
      name: "BadInput",
      retry: false,
      detail: "name: too short",
    });
    expect(wireError("TooManyAttempts", undefined, 1_500)).toEqual({
      code: 109,
      name: "TooManyAttempts",
      retry: true,
      afterMs: 1_500,
    });
  });
});
