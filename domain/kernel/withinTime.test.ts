import { expect, test } from "vitest";
import { withinTime } from "./withinTime.ts";

const never = (signal: AbortSignal) =>
  new Promise<unknown>((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason));
  });

test("work is told when its time is over, and when it is to end before", async () => {
  const stop = new AbortController();
  expect(await withinTime(1, stop.signal, never)).toMatchObject({ name: "TimeoutError" });
  const told = withinTime(60_000, stop.signal, never);
  stop.abort("enough");
  expect(await told).toBe("enough");
  expect(await withinTime(60_000, stop.signal, never)).toBe("enough");
  expect(await withinTime(60_000, stop.signal, async () => "done")).toBe("done");
});
