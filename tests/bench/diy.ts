import { type Bench, median, type Part, partAtMost, partOf, percentile, round } from "./bench.ts";
import type { Chat } from "./chat/chat.ts";
import { comeBack } from "./chat/comeBack.ts";
import { type Crowd, disperse, gather } from "./chat/crowd.ts";
import { startHubChat } from "./chat/hubChat.ts";
import { startPlainChat } from "./chat/plainChat.ts";
import { readHistory } from "./chat/readHistory.ts";
import { closedTalk, openTalk, type Talked } from "./chat/talk.ts";
import { firstOf } from "./people.ts";
import { text } from "./senders.ts";

const perRoom = 20;
/** Ten rooms of 20, and one of 200 others. */
const members = [
  ...firstOf(10).map((room) => firstOf(perRoom).map((k) => room * perRoom + k)),
  firstOf(200).map((k) => 200 + k),
];
const people = 400;
const missed = 100;
const pairs = 5;
const runMs = 4_000;
const openLoop = { perSecond: 200, ms: 10_000, pairs: 3 };
/** What a plain chat did on the machine on which the targets were set. */
const thereDid = {
  perSecond: 1_037,
  cpuMsPerSend: 1.14,
  deliveriesPerSecond: 40_500,
  pages: 1_154,
  backMs: 570,
} as const;

/** Both chats, one thing each. */
interface Both<Of> {
  readonly ours: Of;
  readonly plain: Of;
}

/**
 * Our chat against a plain one of socket.io and Postgres, each with its own servers, both syncing what they store before they acknowledge it.
 * The same clients, people, rooms and texts, in turns. Its figures stand as `ceiling`.
 */
export const diy: Bench = async (say) => {
  say(`starting both, signing ${people} people in …`);
  const chats = { ours: await startHubChat(people, members), plain: await startPlainChat(people, members) };
  const parts: Part[] = [];
  const add = (...some: readonly Part[]): void => {
    for (const part of some) say(JSON.stringify(part));
    parts.push(...some);
  };
  const inTurns = async <Of>(times: number, what: string, run: (crowd: Crowd) => Promise<Of>, crowds: Both<Crowd>) => {
    const seen: { ours: Of[]; plain: Of[] } = { ours: [], plain: [] };
    for (let pair = 1; pair <= times; pair++)
      for (const kind of ["ours", "plain"] as const) {
        const got = await run(crowds[kind]);
        seen[kind].push(got);
        say(`${pair}/${times} ${what}, ${kind}: ${said(got)}`);
      }
    return seen;
  };
  try {
    const latency = { ours: stopwatch(), plain: stopwatch() };
    const crowds = {
      ours: await gather(chats.ours, chats.ours.rooms.slice(0, 10), latency.ours),
      plain: await gather(chats.plain, chats.plain.rooms.slice(0, 10), latency.plain),
    };
    say("waiting until the writers need no look-ups for new ids …");
    await chats.ours.steady();
    const few = await inTurns(pairs, "20 senders", (crowd) => closedTalk(crowd, 2, runMs), crowds);
    add(
      talkPart("10 rooms × 20, 20 senders: sends/s", few, "perSecond", 2, { ceilingThere: thereDid.perSecond }),
      talkPart("10 rooms × 20, 20 senders: CPU ms per send", few, "cpuMsPerSend", 0.7, {
        ceilingThere: thereDid.cpuMsPerSend,
      }),
    );
    const all = await inTurns(pairs, "200 senders", (crowd) => closedTalk(crowd, perRoom, runMs), crowds);
    add(talkPart("10 rooms × 20, all send: sends/s", all, "perSecond", 3));

    const atPace = async (crowd: Crowd) => {
      const watch = latency[crowd === crowds.ours ? "ours" : "plain"];
      watch.reset();
      const talked = await openTalk(crowd, { ...openLoop, textOf: watch.textOf });
      return { ...talked, p50: percentile(watch.taken(), 0.5), p99: percentile(watch.taken(), 0.99) };
    };
    const paced = await inTurns(openLoop.pairs, `${openLoop.perSecond}/s`, atPace, crowds);
    const p50 = { p50: figures(paced, "p50").ours, plainP50: figures(paced, "p50").ceiling };
    add(
      talkPart("10 rooms × 20, 200 sends/s: CPU ms per send", paced, "cpuMsPerSend", 0.9),
      talkPart("10 rooms × 20, 200 sends/s: delivery p99, ms", paced, "p99", 1.2, p50),
    );

    const pages = await inTurns(pairs, "history", (crowd) => readHistory(crowd, 8, 50, runMs), crowds);
    const readers = { ours: pages.ours, ceiling: pages.plain };
    add(partOf("history by 50, 8 readers: pages/s", readers, 1, { ceilingThere: thereDid.pages }));

    const back = await inTurns(pairs, "back", (crowd) => comeBack(crowd, missed), crowds);
    const times = { ours: back.ours.map(({ ms }) => ms), ceiling: back.plain.map(({ ms }) => ms) };
    add(judged(partAtMost(`190 back after ${missed} missed, ms`, times, 0.5, { ceilingThere: thereDid.backMs }), back));
    for (const crowd of [crowds.ours, crowds.plain]) disperse(crowd);

    const forums = {
      ours: await gather(chats.ours, chats.ours.rooms.slice(10)),
      plain: await gather(chats.plain, chats.plain.rooms.slice(10)),
    };
    const forum = await inTurns(pairs, "one room", (crowd) => closedTalk(crowd, 20, runMs), forums);
    const perSecond = figures(forum, "perSecond").ceiling.map((sends) => sends * 200);
    const { deliveriesPerSecond: there } = thereDid;
    const more = { ceilingPerSecond: median(perSecond), ceilingPerSecondThere: there };
    add(talkPart("1 room × 200, 20 senders: deliveries per CPU second", forum, "deliveriesPerCpuSecond", 3, more));
    for (const crowd of [forums.ours, forums.plain]) disperse(crowd);
    return parts;
  } finally {
    await Promise.all(Object.values<Chat>(chats).map((chat) => chat.close()));
  }
};

type Runs<Of> = { readonly ours: readonly Of[]; readonly plain: readonly Of[] };
type Verdicts = Runs<{ readonly lost: number; readonly misordered: number }>;

/** The part for one figure of some runs; of times and CPU less is better. */
function talkPart<Of extends Talked>(
  name: string,
  runs: Runs<Of>,
  figure: keyof Of & string,
  target: number,
  more: object = {},
): Part {
  const part = figure.endsWith("Second") ? partOf : partAtMost;
  return judged(part(name, figures(runs, figure), target, more), runs);
}

function figures<Of>(runs: Runs<Of>, figure: keyof Of): { readonly ours: number[]; readonly ceiling: number[] } {
  const of = (some: readonly Of[]) => some.map((run) => round(Number(run[figure]), 3));
  return { ours: of(runs.ours), ceiling: of(runs.plain) };
}

/** The same with what was lost; it does not count that was reached by losing something. */
function judged(part: Part, runs: Verdicts): Part {
  const sum = (some: Verdicts["ours"], what: "lost" | "misordered") => some.reduce((all, run) => all + run[what], 0);
  const [lost, misordered] = [sum(runs.ours, "lost"), sum(runs.ours, "misordered")];
  const plain = { lost: sum(runs.plain, "lost"), misordered: sum(runs.plain, "misordered") };
  return { ...part, ok: part.ok && lost === 0 && misordered === 0, lost, misordered, plain };
}

/** Texts that tell when they were sent. */
function stopwatch() {
  let sentAt: number[] = [];
  let taken: number[] = [];
  return {
    /** The next text; as long as all others. */
    textOf(): string {
      return `#${sentAt.push(performance.now()) - 1} ${text}`.slice(0, text.length);
    },
    onMessage(got: string): void {
      if (!got.startsWith("#")) return;
      const at = sentAt[Number(got.slice(1, got.indexOf(" ")))];
      if (at !== undefined) taken.push(performance.now() - at);
    },
    taken: (): readonly number[] => taken,
    reset(): void {
      sentAt = [];
      taken = [];
    },
  };
}

function said(got: unknown): string {
  if (typeof got === "number") return String(round(got));
  const entries = Object.entries(got as object).map(([name, value]) => [name, round(Number(value), 2)]);
  return JSON.stringify(Object.fromEntries(entries));
}
