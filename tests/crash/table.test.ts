import { expect, test } from "vitest";
import { tableFaults, tableText } from "./table.ts";

const rows = [
  { step: "upload.opened", kills: 20, lost: 0, wrong: 0 },
  { step: "move.copied", kills: 0, lost: 1, wrong: 2 },
];

test("each step has a line, and the last one is their sum", () => {
  expect(tableText(rows)).toBe(
    [
      "  failpoint       kills    lost   wrong",
      "  upload.opened      20       0       0",
      "  move.copied         0       1       2",
      "  all                20       1       2",
    ].join("\n"),
  );
});

test("a step that was never hit is a fault, as are lost and wrong files", () => {
  expect(tableFaults(rows.slice(0, 1))).toEqual([]);
  expect(tableFaults(rows)).toEqual([
    "nothing was killed at move.copied",
    "1 lost at move.copied",
    "2 wrong at move.copied",
  ]);
});
