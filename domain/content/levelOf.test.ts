import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { levelOf } from "./levelOf.ts";
import { comparePressure, type PressureLevel, pressureLevels } from "./pressure.ts";

describe("the level of a disk", () => {
  test.each<[PressureLevel, number, PressureLevel]>([
    ["none", 0, "none"],
    ["none", 599, "none"],
    ["none", 600, "copy"],
    ["copy", 749, "copy"],
    ["copy", 750, "drop"],
    ["drop", 749, "drop"],
    ["drop", 650, "drop"],
    ["drop", 649, "copy"],
    ["full", 650, "drop"],
    ["drop", 599, "none"],
    ["none", 899, "drop"],
    ["drop", 900, "hold"],
    ["hold", 949, "hold"],
    ["none", 950, "full"],
    ["full", 2_000, "full"],
  ])("that was %s with %i of 1000 bytes used is %s", (previous, used, level) => {
    expect(levelOf(previous, used, 1_000)).toBe(level);
  });

  test("is full without any budget", () => {
    expect(levelOf("none", 0, 0)).toBe("full");
  });

  test("never falls as more is used", () => {
    const level = fc.constantFrom(...pressureLevels);
    fc.assert(
      fc.property(level, fc.nat(2_000), fc.nat(2_000), (previous, a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        expect(comparePressure(levelOf(previous, less, 1_000), levelOf(previous, more, 1_000))).toBeLessThanOrEqual(0);
      }),
    );
  });
});
