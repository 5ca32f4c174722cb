import { randomBytes } from "node:crypto";

/** A new key for a command: a UUIDv7. The client makes keys itself; here they are kept, to be used a second time. */
export function newKey(nowMs = Date.now()): string {
  const time = nowMs.toString(16).padStart(12, "0");
  const random = randomBytes(10);
  random[0] = ((random[0] ?? 0) & 0x0f) | 0x70;
  random[2] = ((random[2] ?? 0) & 0x3f) | 0x80;
  const hex = time + random.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
