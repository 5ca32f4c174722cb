import { expect, test } from "vitest";
import { progressBar, progressText } from "./progressBar.ts";

test("a bar shows part, numbers, rate and the time left", () => {
  const text = progressText(1_000, 5_000, { unit: "commits", elapsedMs: 2_000 });
  expect(text).toBe("[######                        ]  20 %  1,000 of 5,000 commits  500/s  8 s left");
  expect(progressText(3_000, 5_000, { unit: "commits", elapsedMs: 2_000, from: 1_000 })).toContain("1,000/s  2 s left");
  expect(progressText(0, 0, { unit: "commits", elapsedMs: 0 })).toContain("100 %  0 of 0 commits  0/s");
});

test("nothing is drawn where no terminal is", () => {
  const written: string[] = [];
  const bar = progressBar("commits", { isTTY: false, write: (text: string) => written.push(text) } as never);
  bar.show(1, 2);
  bar.end();
  expect(written).toEqual([]);
});

test("on a terminal one line is drawn again and again, and left at the end", () => {
  const written: string[] = [];
  const bar = progressBar("commits", { isTTY: true, write: (text: string) => written.push(text) } as never);
  bar.show(2, 2);
  bar.end();
  expect(written).toEqual([expect.stringMatching(/^\r\[#+\] 100 %/), "\n"]);
});
