import { fileURLToPath } from "node:url";
import { freePort } from "@connect-hub/runtime";
import { freshBox } from "../support/freshBox.ts";
import { startApps, startScript } from "./appProcess.ts";
import { type Audience, bare, type Dialect, openAudience, ours, socketIo } from "./audience.ts";
import { type Bench, benchServers, median, type Part, partOf, round } from "./bench.ts";
import { firstOf, makePeople } from "./people.ts";

const sizes = [100, 1_000, 5_000];
const burstSize = 1_000;
/** In every room so many deliveries a second fall due: far from what either server can do, so that none gathers for want of time. */
const deliveriesPerSecond = 30_000;
/** Messages in one tick. */
const burst = 10;
const pairs = 5;
const runMs = 4_000;

/** Somebody's CPU seconds. */
type Cpu = () => number;

/** A kind of server with everybody connected to it. */
interface Side {
  readonly audience: Audience;
  /** What is counted, and what is told beside it. */
  readonly cpu: { readonly [of: string]: Cpu };
}

/** What a run gave: deliveries per CPU second, by whose CPU is counted, and per second. */
type Run = { readonly [figure: string]: number };

/**
 * One room whose members are all connected and talk in turn, at random times: deliveries per CPU second of the edge, against a uWS
 * server that publishes what it gets, at the same rate; and when ten talk at once, again and again, per CPU second of all our servers
 * against a socket.io server that does the same. Each member checks that it heard all.
 */
export const fanout: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const ports = { ours: await freePort(), uws: await freePort(), io: await freePort() };
  const projector = await startApps(["projector"], box.env);
  say(`making ${Math.max(...sizes)} people …`);
  const { tokens, rooms } = await makePeople(box, Math.max(...sizes), sizes.map(firstOf));
  const commands = await startApps(["commands"], box.env);
  const edge = await startApps(["edge"], { ...box.env, HUB_PORT: String(ports.ours) });
  const script = (file: URL, port: number) => startScript(fileURLToPath(file), { BARE_PORT: String(port) });
  const uws = await script(new URL("bareUws.ts", import.meta.url), ports.uws);
  const io = await script(new URL("bareSocketIo.ts", import.meta.url), ports.io);
  const withCommands = () => edge.cpuSeconds() + commands.cpuSeconds();
  const all = () => withCommands() + projector.cpuSeconds() + servers.cpuSeconds();
  const cpu = { edge: edge.cpuSeconds, withCommands, all };
  const dialects = (size: number, dialect: (token: string) => Dialect) => tokens.slice(0, size).map(dialect);
  const oursOf = (size: number) =>
    openAudience(dialects(size, (token) => ours(ports.ours, token, rooms[sizes.indexOf(size)] ?? "")));
  try {
    const parts: Part[] = [];
    for (const size of sizes) {
      const sides = {
        ours: { audience: await oursOf(size), cpu },
        uws: { audience: await openAudience(dialects(size, () => bare(ports.uws))), cpu: { server: uws.cpuSeconds } },
      };
      const runs = await alternately(sides, steadily, (line) => say(`${size}, ${line}`));
      parts.push(partFor(`fanout to ${size}`, "edge", runs.ours, runs.uws, 0.8));
    }
    const sides = {
      ours: { audience: await oursOf(burstSize), cpu },
      io: {
        audience: await openAudience(dialects(burstSize, () => socketIo(ports.io))),
        cpu: { server: io.cpuSeconds },
      },
    };
    const runs = await alternately(sides, inBursts, (line) => say(`${burstSize} in bursts, ${line}`));
    parts.push(partFor(`fanout in bursts to ${burstSize}, against socket.io`, "all", runs.ours, runs.io, 5));
    return parts;
  } finally {
    await Promise.all([edge, commands, projector, uws, io].map((app) => app.close()));
    await box.close();
    await servers.close();
  }
};

async function alternately<Name extends string>(
  sides: { readonly [name in Name]: Side },
  talk: (audience: Audience, until: number) => Promise<void>,
  say: (line: string) => void,
): Promise<{ readonly [name in Name]: readonly Run[] }> {
  const names = Object.keys(sides) as Name[];
  const runs = Object.fromEntries(names.map((name): [Name, Run[]] => [name, []])) as { [name in Name]: Run[] };
  for (let pair = 1; pair <= pairs; pair++) {
    for (const name of names) {
      const run = await runOnce(sides[name], talk);
      runs[name].push(run);
      say(`${pair}/${pairs} ${name}: ${JSON.stringify(run)}`);
    }
  }
  for (const name of names) sides[name].audience.close();
  return runs;
}

async function runOnce(
  { audience, cpu }: Side,
  talk: (audience: Audience, until: number) => Promise<void>,
): Promise<Run> {
  const began = { at: performance.now(), delivered: audience.delivered() };
  const before = Object.entries(cpu).map(([of, seconds]) => [of, seconds, seconds()] as const);
  await talk(audience, began.at + runMs);
  await audience.allHeard();
  const delivered = audience.delivered() - began.delivered;
  const perSecond = round((delivered / (performance.now() - began.at)) * 1_000);
  return { ...Object.fromEntries(before.map(([of, now, at]) => [of, round(delivered / (now() - at))])), perSecond };
}

/** Each member in turn, at times that are as likely as any others. */
async function steadily(audience: Audience, until: number): Promise<void> {
  const gapMs = (1_000 * audience.size) / deliveriesPerSecond;
  let due = performance.now();
  for (let member = 0; due < until; member++) {
    due -= Math.log(1 - Math.random()) * gapMs;
    const waitMs = due - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    void audience.post(member);
  }
}

/** Ten post in one tick, the next ten when each has heard its own. */
async function inBursts(audience: Audience, until: number): Promise<void> {
  for (let first = 0; performance.now() < until; first += burst)
    await Promise.all(firstOf(burst).map((k) => audience.post(first + k)));
}

/** `counted`: whose CPU the target is about. */
function partFor(
  name: string,
  counted: "edge" | "all",
  mine: readonly Run[],
  ceiling: readonly Run[],
  target: number,
): Part {
  const of = (runs: readonly Run[], figure: string) => runs.map((run) => run[figure] ?? Number.NaN);
  return partOf(name, { ours: of(mine, counted), ceiling: of(ceiling, "server") }, target, {
    unit: `deliveries per CPU second of ${counted === "edge" ? "the edge" : "all server processes"}`,
    edge: median(of(mine, "edge")),
    withCommands: median(of(mine, "withCommands")),
    all: median(of(mine, "all")),
    perSecond: median(of(mine, "perSecond")),
    ceilingPerSecond: median(of(ceiling, "perSecond")),
  });
}
