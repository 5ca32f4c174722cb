import type { PressureLevel } from "./pressure.ts";

/** From which share of the budget a level holds, fullest first. */
const thresholds = [
  ["full", 0.95],
  ["hold", 0.9],
  ["drop", 0.75],
  ["copy", 0.6],
] as const satisfies readonly (readonly [PressureLevel, number])[];
/** Dropping goes on until less than this share is used, so that it does not begin and end with each file. */
const dropUntil = 0.65;

/** The level of a disk with `used` of `budget` bytes that was at `previous` before. */
export function levelOf(previous: PressureLevel, used: number, budget: number): PressureLevel {
  const share = budget > 0 ? used / budget : 1;
  const level = thresholds.find(([, from]) => share >= from)?.[0] ?? "none";
  const wasDropping = previous === "drop" || previous === "hold" || previous === "full";
  return level === "copy" && wasDropping && share >= dropUntil ? "drop" : level;
}
