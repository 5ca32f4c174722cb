import { randomFillSync } from "node:crypto";

const pool = Buffer.allocUnsafeSlow(8_192);
let used = pool.length;

/**
 * `size` bytes (up to 64) from the system's generator, drawn many at a time: asking for a few costs as much as for all.
 * No byte is given twice.
 */
export function drawRandom(size: number): Buffer {
  if (used + size > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const drawn = Buffer.from(pool.subarray(used, used + size));
  used += size;
  return drawn;
}
