import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Gathering } from "./gathering.ts";

describe("after a commit, more commands are expected", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function gathering() {
    const over: number[] = [];
    const it = new Gathering(() => void over.push(Date.now()));
    return { it, over };
  }

  test.each([
    [3, 0],
    [4, 3],
    [5, 4],
  ])("of %d, until there are more than %d", (answered, most) => {
    const { it } = gathering();
    it.answered(answered);
    const counts = Array.from({ length: 6 }, (_, count) => count);
    expect(counts.filter((count) => it.expectsMore(count))).toEqual(most === 0 ? [] : counts.slice(0, most + 1));
  });

  test("for 2 ms, which are over once", () => {
    const { it, over } = gathering();
    it.answered(9);
    vi.advanceTimersByTime(1);
    expect([it.expectsMore(0), over.length]).toEqual([true, 0]);
    vi.advanceTimersByTime(1);
    expect([it.expectsMore(0), over.length]).toEqual([false, 1]);
    vi.advanceTimersByTime(100);
    expect(over).toHaveLength(1);
  });

  test("no longer than until the next commit began", () => {
    const { it, over } = gathering();
    it.answered(9);
    it.end();
    expect(it.expectsMore(0)).toBe(false);
    vi.advanceTimersByTime(100);
    expect(over).toEqual([]);
  });
});
