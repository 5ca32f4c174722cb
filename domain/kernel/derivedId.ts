import { createHash } from "node:crypto";
import type { Context, LaneId } from "../values/ids.ts";

/**
 * A UUIDv7 that follows from its cause: `timeMs` in its time field and SHA-256 over the parts in the random bits. Whoever
 * derives it again gets the same id, which makes at-least-once exactly-once.
 */
export function derivedId(timeMs: number, ...parts: readonly string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest();
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(timeMs, 0, 6);
  hash.copy(bytes, 6, 0, 10);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuidOf(bytes);
}

/** The id of the dialog of two people: `hash` (64 hex digits) is a keyed hash of the pair; a UUIDv8, so it looks like any other. */
export function idOfKeyedHash(hash: string): string {
  const bytes = Buffer.from(hash.slice(0, 32), "hex");
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuidOf(bytes);
}

/** The lane of a subject: the first two bytes of SHA-256(id) modulo the number of lanes; accounts and content have one lane. */
export function laneOf(context: Context, subjectId: string, roomLanes: number): LaneId {
  if (context !== "rooms") return `${context}.0`;
  return `rooms.${createHash("sha256").update(subjectId).digest().readUInt16BE(0) % roomLanes}`;
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
