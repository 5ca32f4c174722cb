import { text } from "../senders.ts";
import { type Crowd, judge, postIn, type Verdict } from "./crowd.ts";

/** What a time of talking came to. */
export interface Talked extends Verdict {
  readonly sends: number;
  /** Acknowledged. */
  readonly perSecond: number;
  /** CPU milliseconds of all server processes, until all was delivered and nothing was left to do. */
  readonly cpuMsPerSend: number;
  readonly deliveriesPerCpuSecond: number;
}

/** In each room the first so many people send, each the next message when the one before is acknowledged. */
export async function closedTalk(crowd: Crowd, sendersPerRoom: number, ms: number): Promise<Talked> {
  return measured(crowd, async (from) => {
    const sending = crowd.rooms.flatMap((room) =>
      room.clients.slice(0, sendersPerRoom).map(async (client) => {
        while (performance.now() < from + ms) await postIn(room, client, text);
      }),
    );
    await Promise.all(sending);
  });
}

/** Everybody in turn, so many messages a second, whatever the answers do; `textOf` says what the next one is. */
export async function openTalk(
  crowd: Crowd,
  { perSecond, ms, textOf }: { readonly perSecond: number; readonly ms: number; readonly textOf: () => string },
): Promise<Talked> {
  const people = crowd.rooms[0]?.clients.length ?? 0;
  return measured(crowd, async (from) => {
    const underWay: Promise<void>[] = [];
    while (performance.now() < from + ms) {
      const due = ((performance.now() - from) / 1_000) * perSecond;
      for (let at = underWay.length; at < due; at++) {
        const room = crowd.rooms[at % crowd.rooms.length];
        const client = room?.clients[Math.floor(at / crowd.rooms.length) % people];
        if (room !== undefined && client !== undefined) underWay.push(postIn(room, client, textOf()));
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000 / perSecond));
    }
    await Promise.all(underWay);
  });
}

async function measured(crowd: Crowd, talk: (from: number) => Promise<void>): Promise<Talked> {
  const { chat, rooms } = crowd;
  const sent = () => rooms.reduce((sum, room) => sum + room.sent.count, 0);
  const received = () =>
    rooms.reduce((sum, { clients }) => clients.reduce((all, { tally }) => all + tally.count, sum), 0);
  await chat.settled();
  const before = { sent: sent(), received: received(), verdict: await judge(crowd), cpu: chat.cpuSeconds() };
  const from = performance.now();
  await talk(from);
  const seconds = (performance.now() - from) / 1_000;
  const { lost, misordered } = await judge(crowd);
  await chat.settled();
  const cpu = chat.cpuSeconds() - before.cpu;
  const sends = sent() - before.sent;
  return {
    lost: lost - before.verdict.lost,
    misordered: misordered - before.verdict.misordered,
    sends,
    perSecond: sends / seconds,
    cpuMsPerSend: (cpu * 1_000) / sends,
    deliveriesPerCpuSecond: (received() - before.received) / cpu,
  };
}
