/**
 * How full the server's disk for files is, from empty to full: `copy` (60 % of its budget), `drop` (75 %, until below 65 %),
 * `hold` (90 %: nothing is fetched back), `full` (95 %: no upload is taken).
 */
export const pressureLevels = ["none", "copy", "drop", "hold", "full"] as const;
export type PressureLevel = (typeof pressureLevels)[number];

/** Below 0 when `a` is the emptier one, above 0 when it is the fuller one. */
export function comparePressure(a: PressureLevel, b: PressureLevel): number {
  return pressureLevels.indexOf(a) - pressureLevels.indexOf(b);
}
