import { expect, test } from "vitest";
import { BackOff } from "./backOff.ts";

test("waits twice as long after each failure, up to a bound, and not at all after a success", () => {
  let now = 1_000;
  const backOff = new BackOff({ firstMs: 100, maxMs: 350, now: () => now });
  const waits = [];
  for (let failure = 0; failure < 4; failure++) {
    expect(backOff.mayTry).toBe(true);
    backOff.failed();
    expect(backOff.mayTry).toBe(false);
    waits.push(backOff.leftMs);
    now += backOff.leftMs;
  }
  expect(waits).toEqual([100, 200, 350, 350]);
  backOff.failed();
  backOff.succeeded();
  expect(backOff.mayTry).toBe(true);
  backOff.failed();
  expect(backOff.leftMs).toBe(100);
});
