import { text } from "../senders.ts";
import type { ChatClient } from "./chat.ts";
import { type Crowd, postIn, type Room } from "./crowd.ts";

/** How long it took until all were caught up, and what they did not get. */
export interface CameBack {
  readonly ms: number;
  readonly lost: number;
  readonly misordered: number;
}

/** Longer takes nobody; who has not got everything by then has lost it. */
const timeoutMs = 60_000;

/**
 * All but the first of each room go, `missed` messages are sent there, and all are back at once: the time until everybody has
 * them, from the first attempt to connect.
 */
export async function comeBack({ chat, rooms }: Crowd, missed: number): Promise<CameBack> {
  const away = rooms.flatMap((room) =>
    room.clients.splice(1).map((client, k) => {
      client.close();
      return { room, person: room.people[k + 1] ?? 0, from: client.cursor() };
    }),
  );
  const expected = new Map(
    await Promise.all(rooms.map(async (room) => [room, await postMissed(room, missed)] as const)),
  );
  await chat.settled();
  // Those who read the log have it in memory for a moment; people are away for longer.
  await new Promise((resolve) => setTimeout(resolve, forgetMs));
  const beganAt = performance.now();
  const back = await Promise.all(
    away.map(async ({ room, person, from }) => {
      const client = await chat.open(person, { from });
      room.clients.push(client);
      const late = new Promise<void>((resolve) => setTimeout(resolve, timeoutMs).unref());
      await Promise.race([client.has(missed), late]);
      return { client, sum: expected.get(room) ?? 0 };
    }),
  );
  const ms = performance.now() - beganAt;
  return {
    ms,
    lost: back.reduce((lost, { client, sum }) => lost + lostBy(client, missed, sum), 0),
    misordered: back.reduce((all, { client }) => all + client.tally.misordered, 0),
  };
}

/** The sum of the numbers of what was sent. */
async function postMissed(room: Room, missed: number): Promise<number> {
  const [stayed] = room.clients;
  const before = room.sent.sum;
  if (stayed !== undefined) for (let at = 0; at < missed; at++) await postIn(room, stayed, text);
  return room.sent.sum - before;
}

function lostBy({ tally }: ChatClient, missed: number, sum: number): number {
  if (tally.count === missed && tally.sum !== sum) throw new Error("somebody got other messages than those missed");
  return Math.abs(missed - tally.count);
}

const forgetMs = 500;
