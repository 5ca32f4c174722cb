import { expect, test } from "vitest";
import { Tally, tableText, unhit } from "./table.ts";

const columns = ["lost", "doubled", "misordered"] as const;
const nothing = { lost: [], doubled: [], misordered: [] };

test("each place has a line, and the last one is their sum; what was found is told with its place", () => {
  const tally = new Tally(["append.sent", "project.applied"], columns);
  tally.add("append.sent", 1, { ...nothing, doubled: ["x"] });
  tally.add("append.sent", 2, { ...nothing, lost: ["y"], misordered: ["z"] });
  expect(tableText(tally.rows, { place: "failpoint", hits: "kills" })).toBe(
    [
      "  failpoint             kills        lost     doubled  misordered",
      "  append.sent               3           1           1           1",
      "  project.applied           0           0           0           0",
      "  all                       3           1           1           1",
    ].join("\n"),
  );
  expect(tally.faults).toEqual(["append.sent: doubled: x", "append.sent: lost: y", "append.sent: misordered: z"]);
});

test("a place where nothing was hit is named", () => {
  const tally = new Tally(["append.sent", "project.applied"], columns);
  tally.add("append.sent", 1, nothing);
  tally.add("project.applied", 0, nothing);
  expect(unhit(tally.rows)).toEqual(["nothing was hit at project.applied"]);
});
