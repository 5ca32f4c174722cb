import { pause } from "@connect-hub/domain/kernel";
import { waitFor } from "../../demo/waitFor.ts";
import { killApp } from "../../faults/keptApp.ts";
import { killSupervised } from "../../faults/ownBox.ts";
import type { Random } from "../../faults/random.ts";
import type { Loss } from "../../support/natsLine.ts";
import type { Way } from "../../support/tcpLine.ts";
import { appClock } from "./childOrders.ts";
import type { Clients } from "./clients.ts";
import type { EdgeBox } from "./edgeBox.ts";
import { storm } from "./storm.ts";

/** What strikes are made on. */
export interface EdgeScene {
  readonly edge: EdgeBox;
  readonly random: Random;
  /** How long a line is bad. */
  readonly strikeMs: number;
  /** How many sockets a storm has. */
  readonly sockets: number;
  readonly say: (text: string) => void;
  /** Takes down what is not as it must be, beyond what journals tell. */
  readonly fault: (text: string) => void;
}

/** Does something to the box or its clients while they write; how often it hit. */
export type EdgeStrike = (scene: EdgeScene) => Promise<number>;

/** The pace that clients keep. */
export const usualPace = { pauseMs: 40 } as const;
const hourMs = 3_600_000;
/** Longer than a lease. */
const frozenMs = 7_000;
/** A client notices a dead line within two of its heartbeats. */
const halfOpenMs = 45_000;
const loud = { pauseMs: 0, loudLength: 7_900 } as const;
/** More than what kernels and the edge keep for a reader. */
const stalledBytes = 14 * 1024 ** 2;
const stalledMs = 30_000;

/** Those of a short run. */
export const quickStrikes: ReadonlySet<string> = new Set([
  "cut lines",
  "reset lines",
  "split at every byte",
  "kill an edge",
  "kill a client",
  "lose live frames",
  "send twice, out of order",
  "a storm",
]);

/** What may be done, by the names in the table. */
export const edgeStrikes: { readonly [name: string]: EdgeStrike } = {
  "cut lines": (scene) => again(scene, ({ line }) => line.drop()),
  "reset lines": (scene) => again(scene, ({ line }) => line.drop("reset")),

  async "refuse lines"({ edge, random, strikeMs }) {
    const cut = await Promise.all(edge.clients.map(({ line }) => line.cut()));
    await pause(random.between(strikeMs / 2, strikeMs));
    await Promise.all(edge.clients.map(({ line }) => line.mend()));
    return sum(cut);
  },

  "delay lines": (scene) => behave(scene, scene.edge.clients, { way: "late", ms: scene.random.between(50, 900) }),
  "throttle lines": (scene) =>
    behave(scene, scene.edge.clients, { way: "drip", bytes: scene.random.between(50, 800), everyMs: 20 }),
  "split at every byte": (scene) => behave(scene, anyOf(scene), { way: "single" }),

  /** Neither end hears of the other; what was on its way arrives when nobody waits for it any more, or never. */
  async "leave lines half-open"(scene) {
    const [client] = anyOf(scene);
    if (client === undefined) return 0;
    const { line, names } = client;
    const before = client.count("online");
    const held = line.connections;
    line.go({ way: "held" });
    await waitFor("clients find a dead line", () => client.count("online") >= before + names.length, halfOpenMs);
    if (scene.random.between(0, 1) === 0) line.drop();
    line.go({ way: "clear" });
    return held;
  },

  async "kill an edge"({ edge: { edges }, random }) {
    const killed = random.between(1, 4) === 1 ? edges : random.shuffled(edges).slice(1);
    await Promise.all(killed.map(killApp));
    return killed.length;
  },

  async "freeze an edge"({ edge: { edges }, random }) {
    const { pid } = random.pick(edges) ?? { pid: 0 };
    process.kill(pid, "SIGSTOP");
    await pause(random.between(500, frozenMs));
    process.kill(pid, "SIGCONT");
    return 1;
  },

  async "stop an edge in order"({ edge: { edges }, random }) {
    await random.pick(edges)?.again();
    return 1;
  },

  async "kill NATS"({ edge: { box } }) {
    await killSupervised(box.folder, "nats");
    return 1;
  },

  "lose live frames": (scene) => lose(scene, { subject: "live." }),
  "lose commands": (scene) => lose(scene, { subject: "cmd.", way: "down" }),
  "lose answers": (scene) => lose(scene, { subject: "_INBOX" }),

  /** One process of clients reads nothing while the other posts more than anybody keeps for a reader. */
  async "stop reading"(scene) {
    const [stalled] = anyOf(scene);
    const others = scene.edge.clients.filter((each) => each !== stalled);
    if (stalled === undefined) return 0;
    const met = () => stalled.count("resync") + stalled.count("online");
    const before = met();
    const answered = () => sum(others.map((each) => each.count("answered")));
    const until = answered() + stalledBytes / loud.loudLength;
    stalled.line.go({ way: "held" });
    for (const each of others) each.go(loud);
    await waitFor("more is posted than is kept", () => answered() >= until, stalledMs).catch(() => undefined);
    for (const each of others) each.go(usualPace);
    stalled.line.go({ way: "clear" });
    await waitFor("the edge gave a reader up", () => met() > before, stalledMs).catch(() => undefined);
    return met() - before;
  },

  async "send twice, out of order"({ edge: { clients }, strikeMs }) {
    const before = sum(clients.map((each) => each.count("twice")));
    for (const each of clients) each.unruly(true);
    await pause(2 * strikeMs);
    for (const each of clients) each.unruly(false);
    return sum(clients.map((each) => each.count("twice"))) - before;
  },

  async "kill a client"(scene) {
    const killed = anyOf(scene);
    await Promise.all(killed.map((each) => each.again()));
    for (const each of killed) each.go(usualPace);
    return killed.length;
  },

  "a client an hour ahead": (scene) => setClient(scene, hourMs),
  "a client an hour behind": (scene) => setClient(scene, -hourMs),
  "an edge an hour ahead": (scene) => setEdge(scene, hourMs),
  "an edge an hour behind": (scene) => setEdge(scene, -hourMs),

  async "a storm"({ edge, sockets, say, fault }) {
    const { back, words, faults } = await storm(edge, sockets);
    say(`      ${words}`);
    for (const each of faults) fault(each);
    return back;
  },
};

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Has core NATS lose what `commands` says or is told, for a while. */
async function lose({ edge: { natsLine }, strikeMs }: EdgeScene, loss: Loss): Promise<number> {
  const running = natsLine.lose(loss);
  await waitFor("something is lost", () => running.count > 2, 10_000).catch(() => undefined);
  await pause(strikeMs / 2);
  running.end();
  return running.count;
}

/** One process of clients. */
function anyOf({ edge: { clients }, random }: EdgeScene): readonly Clients[] {
  return random.shuffled(clients).slice(0, 1);
}

/** Does it to each line again and again. */
async function again({ edge, random, strikeMs }: EdgeScene, strike: (clients: Clients) => number): Promise<number> {
  const endsAt = performance.now() + strikeMs;
  let hits = 0;
  do {
    await pause(random.between(20, strikeMs / 4));
    hits += sum(random.shuffled(edge.clients).slice(random.between(0, 1)).map(strike));
  } while (performance.now() < endsAt);
  return hits;
}

/** Has lines behave so for a while. */
async function behave({ strikeMs, random }: EdgeScene, clients: readonly Clients[], way: Way): Promise<number> {
  const touched = () => sum(clients.map(({ line }) => line.touched));
  const before = touched();
  for (const { line } of clients) line.go(way, { newOnes: true });
  await pause(random.between(strikeMs, 2 * strikeMs));
  for (const { line } of clients) line.go({ way: "clear" });
  return touched() - before;
}

/** A process of clients begins again with a wrong clock, and after a while with the right one. */
async function setClient(scene: EdgeScene, offMs: number): Promise<number> {
  const [client] = anyOf(scene);
  if (client === undefined) return 0;
  const before = client.leastAnswered();
  await client.again(offMs);
  client.go(usualPace);
  await waitFor("clients with a wrong clock are answered", () => client.leastAnswered() > before + 3, halfOpenMs);
  await client.again();
  client.go(usualPace);
  return 1;
}

/** An edge begins again with a wrong clock; clients are answered by whichever edge they come to. Then with the right one. */
async function setEdge({ edge: { edges, clients }, random, strikeMs }: EdgeScene, offMs: number): Promise<number> {
  const wrong = random.pick(edges);
  await wrong?.again(appClock(offMs));
  // Some of them come to the other edge: each connects anew a few times.
  for (let turn = 0; turn < 3; turn++) {
    for (const { line } of clients) line.drop();
    await pause(strikeMs);
  }
  await wrong?.again();
  return wrong === undefined ? 0 : 1;
}
