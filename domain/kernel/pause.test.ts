import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { pause } from "./pause.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("ends after its time", async () => {
  let ended = false;
  const pausing = pause(100).then(() => {
    ended = true;
  });
  await vi.advanceTimersByTimeAsync(99);
  expect(ended).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await pausing;
});

test("ends with its signal, before or after it has begun, and leaves no timer", async () => {
  const stop = new AbortController();
  const pausing = pause(100, stop.signal);
  stop.abort();
  await pausing;
  await pause(100, stop.signal);
  expect(vi.getTimerCount()).toBe(0);
});
