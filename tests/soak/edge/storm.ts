import { connect } from "@connect-hub/sdk";
import { WebSocket } from "ws";
import { enter } from "./account.ts";
import { orderedChild } from "./childOrders.ts";
import type { EdgeBox } from "./edgeBox.ts";
import type { StormOrder, StormReport } from "./stormProcess.ts";

/** What came of a storm. */
export interface StormResult {
  /** How many sockets came back. */
  readonly back: number;
  readonly words: string;
  readonly faults: readonly string[];
}

/** All are back within so long, and who was online all the time is answered at least so often. */
const bounds = { backMs: 60_000, silentMs: 10_000 } as const;
const socketsPerUser = 100;
const postMs = 250;

/** Opens so many sockets beside the clients, drops all of them and has them come back at once, while people go on. */
export async function storm({ box, clients }: EdgeBox, sockets: number): Promise<StormResult> {
  const url = box.address;
  const sessions = [];
  for (let at = 0; at < Math.ceil(sockets / socketsPerUser); at++)
    sessions.push(await enter(url, `storm.${Date.now()}.${at}`));
  const [owner] = sessions;
  if (owner === undefined) throw new Error("There is nobody for a storm.");
  const speaker = connect({ url, token: owner.token, position: owner.position, WebSocket });
  const child = await orderedChild<StormOrder>("./stormProcess.ts");
  const say = async (order: StormOrder) => (await child.ask(order, 3 * bounds.backMs)) as StormReport;
  try {
    const members = sessions.slice(1).map(({ user }) => user);
    const { room } = await speaker.command("createRoom", { name: "Storm", members });
    const tokens = sessions.map(({ token }) => token);
    const opened = await say({ open: { url, tokens, room, sockets, withinMs: bounds.backMs } });
    const silence = watch(() => clients.map((each) => each.leastAnswered()));
    let isOver = false;
    const speaking = (async () => {
      while (!isOver) {
        await speaker.command("postMessage", { room, text: "Still there?" });
        await new Promise((resolve) => setTimeout(resolve, postMs));
      }
    })();
    const back = await say({ storm: { withinMs: bounds.backMs } });
    isOver = true;
    await speaking;
    const silentMs = silence.end();
    const { s } = await speaker.command("postMessage", { room, text: "All there." });
    const all = await say({ reach: { s, withinMs: bounds.backMs } });
    const faults = [
      ...(opened.missing > 0 ? [`${opened.missing} of ${sockets} sockets never came in`] : []),
      ...(back.missing > 0
        ? [`${back.missing} of ${sockets} sockets are not back after ${bounds.backMs / 1_000} s`]
        : []),
      ...(all.missing > 0 ? [`${all.missing} of ${sockets} sockets were not told everything`] : []),
      ...(all.holes > 0 ? [`${all.holes} holes`] : []),
      ...(all.doubled > 0 ? [`${all.doubled} events came twice`] : []),
      ...(silentMs > bounds.silentMs ? [`a client that was online was not answered for ${silentMs} ms`] : []),
    ];
    const words = `${sockets} sockets back in ${(back.tookMs / 1_000).toFixed(1)} s, ${back.refused - opened.refused} refused for a while, ${all.resets} resets; who was online waited ${silentMs} ms at most`;
    return { back: sockets - back.missing, words, faults };
  } finally {
    speaker.close();
    await child.end("SIGKILL");
  }
}

/** Watches counts that go up; how long one of them stood still at most, in milliseconds. */
function watch(counts: () => readonly number[]): { end(): number } {
  let before = counts();
  let changedAt = before.map(() => performance.now());
  let longest = 0;
  const look = () => {
    const now = counts();
    const at = performance.now();
    changedAt = changedAt.map((last, index) => {
      longest = Math.max(longest, at - last);
      return now[index] === before[index] ? last : at;
    });
    before = now;
  };
  const timer = setInterval(look, 50);
  return {
    end() {
      look();
      clearInterval(timer);
      return Math.round(longest);
    },
  };
}
