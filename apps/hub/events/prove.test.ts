import { expect, test } from "vitest";
import { assertRange } from "./prove.ts";

test("one proof is of 10,000 events at most", () => {
  expect(() => assertRange(1, 9_999)).not.toThrow();
  expect(() => assertRange(1, 10_000)).not.toThrow();
  expect(() => assertRange(1, 10_001)).toThrow("Those are 10001 events; one proof is of 10000 at most");
  expect(() => assertRange(2, 1)).toThrow("--from 2 is after --to 1");
});
