import { expect, test } from "vitest";
import { verdictText } from "./report.ts";

const findings = [
  { check: "good", looked: "7 things", faults: [] },
  { check: "worse", looked: "9 things", faults: ["a\nb", "c", "d", "e", "f"] },
];

test("a good check is one line, a bad one shows its first faults", () => {
  expect(verdictText(findings, false)).toBe(
    [
      "  ✓ good   7 things",
      "  ✗ worse  9 things  5 wrong",
      "      a b",
      "      c",
      "      d",
      "      … and 2 more",
    ].join("\n"),
  );
});

test("on a terminal good is green and bad is red", () => {
  expect(verdictText(findings.slice(0, 1), true)).toBe("  \u001b[32m✓ good  7 things\u001b[0m");
  expect(verdictText(findings.slice(1), true)).toContain("\u001b[31m✗ worse");
});
