import { randomBytes } from "node:crypto";
import { jetstreamManager } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/nats-core";

/** How a bare program writes a log: no decisions, no keys, no sealing, the bytes are ready. */
export interface BareLog {
  /** Resolves when the command's bytes are stored. */
  send(room: string): Promise<void>;
}

/** One lane; while an append is under way commands gather, then go out as one message. */
export async function groupCommitting(nc: NatsConnection, bytesPerCommand: number): Promise<BareLog> {
  const subject = await makeStream(nc, false);
  const payload = randomBytes(bytesPerCommand);
  let last = 0;
  let waiting: (() => void)[] = [];
  let busy = false;
  const pump = async (): Promise<void> => {
    busy = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const expected = headers();
      expected.set("Nats-Expected-Last-Sequence", String(last));
      await acknowledged(nc, subject, Buffer.concat(batch.map(() => payload)), expected);
      last += 1;
      for (const stored of batch) stored();
      // The senders that were just answered send again in this turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    busy = false;
  };
  return {
    send: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (!busy) setImmediate(() => busy || void pump());
      }),
  };
}

/** A subject per room and an append per command, each expecting the last one of its room. */
export async function subjectPerRoom(nc: NatsConnection, bytesPerCommand: number): Promise<BareLog> {
  const subject = await makeStream(nc, true);
  const payload = randomBytes(bytesPerCommand);
  const lasts = new Map<string, Promise<number>>();
  return {
    async send(room) {
      const before = lasts.get(room) ?? Promise.resolve(0);
      const stored = before.then(async (last) => {
        const expected = headers();
        expected.set("Nats-Expected-Last-Subject-Sequence", String(last));
        return acknowledged(nc, `${subject}.${room}`, payload, expected);
      });
      lasts.set(room, stored);
      await stored;
    },
  };
}

async function makeStream(nc: NatsConnection, perRoom: boolean): Promise<string> {
  const name = `bare_${randomBytes(6).toString("hex")}`;
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name, subjects: [perRoom ? `${name}.>` : name] });
  return name;
}

async function acknowledged(
  nc: NatsConnection,
  subject: string,
  bytes: Uint8Array,
  expected: ReturnType<typeof headers>,
): Promise<number> {
  const reply = await nc.request(subject, bytes, { timeout: 5_000, headers: expected });
  const ack = reply.json<{ seq?: number; error?: { description: string } }>();
  if (ack.error) throw new Error(ack.error.description);
  return ack.seq ?? 0;
}
