import { expect, test } from "vitest";
import { consoleBlocks, missingLine } from "./consoleBlocks.ts";

const markdown = [
  "Words.",
  "```console",
  "$ hub status",
  "name   state",
  "edge   ready",
  "",
  "$ hub events show rooms.0:9999",
  "There is no commit …",
  "(exit code 1)",
  "```",
  "```sh",
  "$ not run",
  "```",
].join("\n");

test("the commands of console blocks are found, with what they print and how they end", () => {
  expect(consoleBlocks(markdown)).toEqual([
    { line: 3, command: "hub status", output: ["name   state", "edge   ready"], exitCode: 0 },
    { line: 7, command: "hub events show rooms.0:9999", output: ["There is no commit …"], exitCode: 1 },
  ]);
});

test("what a document shows must be printed, in that order; dots stand for anything, blanks are as wide as they are", () => {
  const printed = "lane     commit\n│ rooms.0 │ 42 │ ready │\nend";
  expect(missingLine(["lane commit", "rooms.0  … ready", "…", "end"], printed)).toBeUndefined();
  expect(missingLine(["rooms.0 … ready", "lane commit"], printed)).toBe("lane commit");
  expect(missingLine(["rooms.0 43 ready"], printed)).toBe("rooms.0 43 ready");
  expect(missingLine(["rooms.0"], printed)).toBe("rooms.0");
});
