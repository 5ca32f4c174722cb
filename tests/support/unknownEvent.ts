import { type CommitHead, decodeCommit, encodeCommit, encodeEntry, hashCommit } from "@connect-hub/domain/kernel";
import { openLane } from "@connect-hub/jetstream";
import { expect } from "vitest";
import { newKey } from "./bareSocket.ts";
import type { FreshBox } from "./freshBox.ts";

/** The type of an event that no code here knows. */
export const unknownType = "RoomPainted.v1";

/** Appends to a room what a newer version would have, when no writer is at work. */
export async function appendUnknown(box: FreshBox, room: string, actor: string): Promise<void> {
  const log = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  const n = await log.lastNumber();
  const { bytes } = (await log.readAt(n)) ?? { bytes: new Uint8Array() };
  const last = decodeCommit(bytes);
  const head: CommitHead = { ...last, n: n + 1, term: last.term + 1, writer: "newer", prevHash: hashCommit(bytes) };
  const event = { type: unknownType, subject: { kind: "room" as const, id: room }, by: "x", salt: "A", data: {} };
  const key = { actor, id: newKey() };
  const entry = encodeEntry({ key, kind: "paintRoom", digest: "d".repeat(64), result: null, events: [event] });
  expect(await log.append(encodeCommit(head, [entry]), n)).toBe("stored");
}
