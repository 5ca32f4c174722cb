import { randomUUID } from "node:crypto";
import { type Command, derivedId, subjects } from "@connect-hub/domain/kernel";
import type { CommandSender } from "@connect-hub/jetstream";
import type { FreshBox } from "../support/freshBox.ts";

/** Text of an ordinary message. */
export const text =
  "The quality of mercy is not strained; it droppeth as the gentle rain from heaven upon the place beneath.";

/** A command as an edge would send it. */
export function commandOf(kind: Command["kind"], actor: string, subject: string, data: Command["data"]): Command {
  const now = Date.now();
  return {
    key: { actor, id: uuidV7(now) },
    kind,
    subject,
    data,
    deadlineAt: now + 10_000,
  };
}

/** A fresh UUIDv7: the time, and what a random UUID has. */
function uuidV7(nowMs: number): string {
  const time = nowMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** A UUID for something of a bench. */
export function idOf(kind: string, index: number): string {
  return derivedId(Date.parse("2026-01-01"), kind, String(index));
}

/** Rooms of one box with people in them, and the way to the lane's writer. */
export interface Crowd {
  readonly rooms: readonly string[];
  readonly perRoom: number;
  post(room: string, sender: number): Promise<void>;
}

/** Makes `rooms` rooms; whoever posts in one is its owner under another key. */
export async function crowdOf(box: FreshBox, sender: CommandSender, rooms: number, perRoom: number): Promise<Crowd> {
  const { writer } = await box.nextBeat("rooms.0");
  const subject = subjects(box.prefix).commands("rooms.0", writer);
  const owner = (room: number) => idOf("owner", room);
  const ids = Array.from({ length: rooms }, (_, index) => idOf(box.prefix, index));
  await Promise.all(
    ids.map(async (room, index) => {
      const reply = await sender.send(subject, commandOf("createRoom", owner(index), room, { name: `room ${index}` }));
      if (!("ok" in reply)) throw new Error(`createRoom: ${JSON.stringify(reply)}`);
    }),
  );
  return {
    rooms: ids,
    perRoom,
    async post(room) {
      const command = commandOf("postMessage", owner(ids.indexOf(room)), room, { room, text });
      const reply = await sender.send(subject, command);
      if (!("ok" in reply)) throw new Error(`postMessage: ${JSON.stringify(reply)}`);
    },
  };
}

/** All senders send for `ms`, each the next one when it has its answer. Rate per second and latencies in milliseconds. */
export async function closedLoop(
  senders: readonly (() => Promise<void>)[],
  ms: number,
): Promise<{ readonly rate: number; readonly latencies: readonly number[] }> {
  const startedAt = performance.now();
  const endsAt = startedAt + ms;
  const latencies: number[] = [];
  await Promise.all(
    senders.map(async (send) => {
      while (performance.now() < endsAt) {
        const sentAt = performance.now();
        await send();
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  return { rate: (latencies.length / (performance.now() - startedAt)) * 1_000, latencies };
}
