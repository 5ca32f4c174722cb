import { expect, test } from "vitest";
import { Tally, tableText, unhit } from "./table.ts";

test("each place has a line, and the last one is their sum; what was found is told with its place", () => {
  const tally = new Tally(["append.sent", "project.applied"]);
  tally.add("append.sent", true, { lost: [], doubled: ["x"], misordered: [] });
  tally.add("append.sent", true, { lost: ["y"], doubled: [], misordered: ["z"] });
  expect(tableText(tally.rows)).toBe(
    [
      "  failpoint             kills        lost     doubled  misordered",
      "  append.sent               2           1           1           1",
      "  project.applied           0           0           0           0",
      "  all                       2           1           1           1",
    ].join("\n"),
  );
  expect(tally.faults).toEqual(["append.sent: doubled: x", "append.sent: lost: y", "append.sent: misordered: z"]);
});

test("a place where nothing was hit is named", () => {
  const tally = new Tally(["append.sent", "project.applied"]);
  tally.add("append.sent", true, { lost: [], doubled: [], misordered: [] });
  tally.add("project.applied", false, { lost: [], doubled: [], misordered: [] });
  expect(unhit(tally.rows)).toEqual(["nothing was hit at project.applied"]);
});
