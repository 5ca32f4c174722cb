import { waitFor } from "@connect-hub/runtime";
import type { Chat, ChatClient, ChatRoom, OpenOptions } from "./chat.ts";

/** A room, the clients of its people, and what was sent there since they were opened. */
export interface Room extends ChatRoom {
  readonly clients: ChatClient[];
  sent: { count: number; sum: number };
}

/** Rooms of one chat with people who are all connected. */
export interface Crowd {
  readonly chat: Chat;
  readonly rooms: readonly Room[];
}

/** So many come in at a time, where it is not measured how they do. */
const atOnce = 50;

/** Opens a client for everybody in these rooms. */
export async function gather(chat: Chat, rooms: readonly ChatRoom[], options: OpenOptions = {}): Promise<Crowd> {
  const all: Room[] = rooms.map((room) => ({ ...room, clients: [], sent: { count: 0, sum: 0 } }));
  for (const { people, clients } of all)
    for (let first = 0; first < people.length; first += atOnce)
      clients.push(...(await Promise.all(people.slice(first, first + atOnce).map((one) => chat.open(one, options)))));
  return { chat, rooms: all };
}

/** Posts, and keeps count of it. */
export async function postIn(room: Room, client: ChatClient, text: string): Promise<void> {
  const number = await client.post(room.id, text);
  room.sent.count += 1;
  room.sent.sum += number;
}

/** How the clients of a crowd fared: what of that which was sent they did not get, or got in another order. */
export interface Verdict {
  readonly lost: number;
  readonly misordered: number;
}

/** Waits until everybody has everything, or nothing has come for long. */
export async function judge({ rooms }: Crowd): Promise<Verdict> {
  const all = rooms.flatMap(({ clients, sent }) => clients.map(({ tally }) => ({ tally, sent })));
  const isWhole = () => all.every(({ tally, sent }) => tally.count >= sent.count);
  await waitFor(async () => isWhole(), { timeoutMs: 30_000 }).catch(() => undefined);
  for (const { tally, sent } of all)
    if (tally.count === sent.count && tally.sum !== sent.sum)
      throw new Error("somebody got as many messages as were sent, but not those that were");
  return {
    lost: all.reduce((lost, { tally, sent }) => lost + Math.abs(sent.count - tally.count), 0),
    misordered: all.reduce((sum, { tally }) => sum + tally.misordered, 0),
  };
}

/** Closes all clients. */
export function disperse({ rooms }: Crowd): void {
  for (const { clients } of rooms) for (const client of clients.splice(0)) client.close();
}
