import { pause } from "@connect-hub/domain/kernel";
import { connect } from "@connect-hub/sdk";
import { WebSocket } from "ws";
import { waitFor } from "../../demo/waitFor.ts";
import { deal } from "../../faults/deal.ts";
import type { FaultResult, FaultRun } from "../../faults/faultMain.ts";
import { randomFrom } from "../../faults/random.ts";
import { Tally } from "../../faults/table.ts";
import { askPage, readHistory } from "../../support/historyReader.ts";
import { enter } from "./account.ts";
import { type EdgeBox, startEdgeBox } from "./edgeBox.ts";
import { edgeColumns } from "./edgeJudge.ts";
import { type EdgeScene, edgeStrikes, quickStrikes, usualPace } from "./edgeStrikes.ts";

/** How to go about it. */
export interface EdgeSoakOptions extends FaultRun {
  readonly rounds: number;
  /** So many strikes a round, dealt by the seed: none comes again before all others came. */
  readonly most: number;
  /** Only strikes that take a second or two. */
  readonly isQuick?: boolean;
  /** Only strikes whose name has this in it. */
  readonly only?: string;
  /** How many sockets a storm has. */
  readonly sockets: number;
}

type EdgeTally = Tally<(typeof edgeColumns)[number]>;

/** Strikes while clients write, and after each strike holds what the clients wrote down themselves against the log. */
export async function runEdgeSoak(options: EdgeSoakOptions): Promise<FaultResult> {
  const { rounds, most, seed, say, onBox, isQuick = false, only = "", sockets } = options;
  say(`Starting a box of its own with two edges … (seed ${seed})`);
  const edge = await startEdgeBox(seed, onBox);
  try {
    const possible = Object.keys(edgeStrikes).filter(
      (name) => name.includes(only) && (!isQuick || quickStrikes.has(name)),
    );
    const dealt = deal(possible, { rounds, most, random: randomFrom(`${seed}/order`) });
    const tally: EdgeTally = new Tally([...new Set(dealt.flat())].sort(), edgeColumns);
    const outsider = await startOutsider(edge);
    for (const [index, names] of dealt.entries()) {
      const random = randomFrom(`${seed}/${index + 1}`);
      const startedAt = performance.now();
      for (const name of names) {
        const fault = (text: string) => void tally.faults.push(`${name}: ${text}`);
        const strikeMs = isQuick ? 700 : 2_000;
        await strikeOnce(name, { edge, random: random.branch(name), strikeMs, sockets, say, fault }, tally);
      }
      await settle(edge, tally);
      const answered = edge.clients.reduce((sum, each) => sum + each.count("answered"), 0);
      say(`  Round ${String(index + 1).padStart(2)}: ${answered} commands answered, ${secondsSince(startedAt)} s`);
    }
    tally.faults.push(...(await outsider.end()), ...(await comparePages(edge)), ...edge.odd());
    return { rows: tally.rows, faults: tally.faults };
  } finally {
    await edge.close();
  }
}

const answerMs = 60_000;
const quietMs = 45_000;

async function strikeOnce(name: string, scene: EdgeScene, tally: EdgeTally): Promise<void> {
  const { edge, say, fault } = scene;
  const startedAt = performance.now();
  for (const each of edge.clients) each.go(usualPace);
  await answered(edge);
  const hits = await edgeStrikes[name]?.(scene).catch((error) => fault(String(error)));
  await answered(edge).catch((error) => fault(String(error)));
  await Promise.all(edge.clients.map((each) => each.rest()));
  const { refused, ...found } = await judged(edge);
  for (const text of refused) fault(text);
  tally.add(name, hits ?? 0, found);
  say(`    ${name}: ${hits ?? 0} hits, ${secondsSince(startedAt)} s`);
}

/** Each of the clients is answered again. */
async function answered({ clients }: EdgeBox): Promise<void> {
  const before = clients.map((each) => each.leastAnswered());
  const isAnswered = () => clients.every((each, index) => each.leastAnswered() > (before[index] ?? 0) + 1);
  await waitFor("clients are answered", isAnswered, answerMs);
}

/** When all is quiet: everybody was told everything, and everything is where it was told to be. */
async function judged({ log, judge, clients }: EdgeBox) {
  for (const logged of await log.read()) judge.log(logged);
  const isQuiet = () => {
    for (const each of clients) for (const line of each.read()) judge.told(line);
    return judge.lagging().length === 0;
  };
  // Who lags is in the verdict.
  await waitFor("all is quiet", isQuiet, quietMs, 50).catch(() => undefined);
  return judge.verdict();
}

/** Nothing lags behind the log, and the tables are what it says. */
async function settle({ box }: EdgeBox, { faults }: EdgeTally): Promise<void> {
  for (const command of [["wait-caught-up"], ["events", "verify"]]) {
    const { code, stdout, stderr } = await box.hub(...command);
    if (code !== 0) faults.push(`hub ${command.join(" ")} ended with ${code}: ${stdout}${stderr}`);
  }
}

const outsiderMs = 250;

/** Somebody who is in none of the rooms asks for them all the time, whatever is broken. */
async function startOutsider({
  box: { address: url },
  rooms,
}: EdgeBox): Promise<{ end(): Promise<readonly string[]> }> {
  const { token } = await enter(url, "Outsider");
  const faults: string[] = [];
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const page = await askPage(rooms.door, 0, { address: url, token, position: undefined });
      if (typeof page !== "string")
        faults.push(`somebody who is not in the room got ${page.events.length} of its events`);
      await pause(outsiderMs);
    }
  })();
  return {
    async end() {
      isOver = true;
      await asking;
      return faults;
    },
  };
}

/** What a member pages through, and what a new client gets that resumes from somewhere, is what the log has. */
async function comparePages({ box: { address }, rooms, judge, owner }: EdgeBox): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const room of [...rooms.rooms, rooms.door]) {
    const head = judge.headOf(room);
    const events = await readHistory(room, 0, { address, token: owner.token, position: owner.position });
    const odd = events.findIndex(({ s, t }, at) => s !== at + 1 || t !== judge.kindAt(room, s));
    if (odd !== -1) faults.push(`the history of ${room} has ${events[odd]?.t} at ${odd + 1}, which is not on the log`);
    if (events.length !== head) faults.push(`the history of ${room} has ${events.length} events, the log ${head}`);
    faults.push(...(await compareResume({ address, token: owner.token, room, head })));
  }
  return faults;
}

/** The most that is resumed event by event. */
const resumed = 200;
const resumeMs = 20_000;

async function compareResume(at: {
  address: string;
  token: string;
  room: string;
  head: number;
}): Promise<readonly string[]> {
  const { address: url, token, room, head } = at;
  const from = Math.max(1, head - resumed);
  const { epoch } = await epochOf(at);
  const got: number[] = [];
  let resets = 0;
  const client = connect({
    url,
    token,
    WebSocket,
    cursors: { [room]: [epoch, from] },
    onEvents: (id, events) => void (id === room && got.push(...events.map(({ s }) => s))),
    onReset(id) {
      if (id === room) resets += 1;
    },
  });
  try {
    await waitFor("a resume brings everything", () => got.at(-1) === head || resets > 0, resumeMs).catch(
      () => undefined,
    );
    const isWhole = got.length === head - from && got.every((s, index) => s === from + 1 + index);
    return isWhole && resets === 0
      ? []
      : [`a resume of ${room} from ${from} to ${head} brought ${got.length} events, ${resets} resets`];
  } finally {
    client.close();
  }
}

async function epochOf({ address: url, token, room }: { address: string; token: string; room: string }) {
  const client = connect({ url, token, WebSocket, history: 0 });
  try {
    return await client.query("history", { room, limit: 1 });
  } finally {
    client.close();
  }
}

function secondsSince(startedAt: number): string {
  return ((performance.now() - startedAt) / 1_000).toFixed(1);
}
