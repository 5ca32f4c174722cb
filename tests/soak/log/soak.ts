import { appendSteps, reactSteps } from "@connect-hub/domain/kernel";
import { mergeTokens } from "@connect-hub/domain/values";
import { projectSteps, rebuildSteps } from "@connect-hub/projections";
import { register, type Session, signIn } from "@connect-hub/sdk";
import { openJournal, readJournal } from "../../demo/journal.ts";
import { judge, type Record, type RoomHistory } from "../../demo/judge.ts";
import { openRecorded } from "../../demo/people.ts";
import { breakTables } from "../../demo/sabotage.ts";
import { waitFor } from "../../demo/waitFor.ts";
import { deal } from "../../faults/deal.ts";
import type { FaultResult, FaultRun } from "../../faults/faultMain.ts";
import { killApp } from "../../faults/keptApp.ts";
import { type Random, randomFrom } from "../../faults/random.ts";
import { Tally } from "../../faults/table.ts";
import { readHistory } from "../../support/historyReader.ts";
import { type Probes, startProbes } from "./probes.ts";
import { type Scene, waitForAnswers } from "./scene.ts";
import { type SoakBox, startSoakBox } from "./soakBox.ts";
import { type Strike, strikeAt, strikes } from "./strikes.ts";
import { startTraffic, type Traffic } from "./traffic.ts";
import { type Verdict, verdictColumns, verdictOn } from "./verdict.ts";

/** How to go about it. */
export interface SoakOptions extends FaultRun {
  readonly rounds: number;
  /** So many strikes a round, dealt by the seed: none comes again before all others came. */
  readonly most: number;
  /** Only strikes that take some seconds: no rebuild, no older log. */
  readonly isQuick?: boolean;
  /** Only strikes whose name has this in it. */
  readonly only?: string;
  /** How many nats-servers. */
  readonly nats: 1 | 3;
  /** What is done behind the system's back at the end, to see that it is noticed. */
  readonly sabotage?: SoakSabotage;
}

/** What `--break` may do: what a faulty system could have done by itself, or leave one place out. */
export const soakSabotages = ["lose", "double", "reorder", "corrupt", "miss"] as const;
export type SoakSabotage = (typeof soakSabotages)[number];

/** Everything that can be done to the box, by its name in the table. */
const places: ReadonlyMap<string, Strike> = new Map([
  ...[...appendSteps, ...reactSteps, ...projectSteps, ...rebuildSteps].map(
    (step) => [step, (scene: Scene) => strikeAt(step, scene)] as const,
  ),
  ...Object.entries(strikes),
]);

/** Strikes at every place in each round while people write, and holds after each strike what is there against what they were told. */
export async function runSoak(options: SoakOptions): Promise<FaultResult> {
  const { rounds, seed, nats, say, onBox } = options;
  say(`Starting a box of its own on ${nats} nats-server${nats === 1 ? "" : "s"} … (seed ${seed})`);
  const soak = await startSoakBox(nats, onBox);
  const journal = openJournal(soak.box.journalFile);
  try {
    const traffic = await startTraffic({ address: soak.box.address, journal });
    const probes = startProbes(soak.box.address, traffic, await enterOutsider(soak.box.address));
    const dealt = deal(possible(options), { rounds, most: options.most, random: randomFrom(`${seed}/order`) });
    // Of a short run only what it will do can be asked to be hit.
    const run = {
      soak,
      traffic,
      tally: new Tally([...new Set(dealt.flat())].sort(), verdictColumns),
      seen: new Seen(),
    };
    for (let round = 1; round <= rounds; round++) {
      const random = randomFrom(`${seed}/${round}`);
      const startedAt = performance.now();
      await strikeRound(dealt[round - 1] ?? [], random, run, options);
      await settle(run);
      say(
        `  Round ${String(round).padStart(2)}: ${traffic.acknowledged.length} commands acknowledged, ${secondsSince(startedAt)} s`,
      );
    }
    if (options.sabotage !== undefined && options.sabotage !== "miss") await sabotage(options.sabotage, run);
    await finish(run, probes);
    return { rows: run.tally.rows, faults: [...run.tally.faults, ...traffic.faults, ...probes.faults, ...soak.odd()] };
  } finally {
    await soak.close();
    journal.close();
  }
}

interface Run {
  readonly soak: SoakBox;
  readonly traffic: Traffic;
  readonly tally: Tally<keyof Verdict>;
  readonly seen: Seen;
}

/** The places that a run may strike at. */
function possible({ isQuick = false, only = "" }: SoakOptions): readonly string[] {
  const isLong = (name: string) => /^rebuild\.|halted|older log/.test(name);
  return [...places.keys()].filter((name) => name.includes(only) && !(isQuick && isLong(name)));
}

async function strike(name: string, scene: Scene): Promise<boolean> {
  return (await places.get(name)?.(scene)) ?? false;
}

async function strikeRound(names: readonly string[], random: Random, run: Run, options: SoakOptions): Promise<void> {
  const { soak, traffic, tally, seen } = run;
  const { say, sabotage: kind } = options;
  for (const name of kind === "miss" ? names.slice(0, -1) : names) {
    const scene: Scene = { soak, traffic, random: random.branch(name) };
    const startedAt = performance.now();
    traffic.go();
    const isHit = await strike(name, scene).catch((error) => void tally.faults.push(`${name}: ${error}`));
    await waitForAnswers(scene);
    await traffic.rest();
    tally.add(name, isHit === true ? 1 : 0, await seen.check(soak.box.address, traffic));
    say(`    ${name}${isHit ? "" : ": NOT HIT"}, ${secondsSince(startedAt)} s`);
  }
}

async function sabotage(kind: Exclude<SoakSabotage, "miss">, { soak, traffic, tally, seen }: Run): Promise<void> {
  traffic.go();
  await waitForAnswers({ traffic });
  await traffic.rest();
  await soak.box.hub("wait-caught-up");
  await breakTables(soak.box, kind, traffic.rooms[0] ?? "");
  await killApp(soak.edge);
  tally.add(`break: ${kind}`, 1, await seen.check(soak.box.address, traffic));
}

/** Nothing lags, and the tables are what the log says. */
async function settle({ soak: { box }, tally }: Run): Promise<void> {
  for (const command of [["wait-caught-up"], ["projections", "verify"], ["events", "verify"]]) {
    const { code, stdout, stderr } = await box.hub(...command);
    if (code !== 0) tally.faults.push(`hub ${command.join(" ")} ended with ${code}: ${stdout}${stderr}`);
  }
}

/** What everybody was told live, and what a resume brings, is the history as it is read at the end; each key is still the same command. */
async function finish({ soak: { box }, traffic, tally }: Run, probes: Probes): Promise<void> {
  await probes.close();
  if (probes.asked.answered === 0) tally.faults.push("nobody who asked was ever answered");
  const rooms = [...new Set(traffic.acknowledged.map(({ room }) => room))];
  const [reader] = traffic.people;
  if (reader === undefined) throw new Error("There is nobody to read.");
  const at = { address: box.address, token: reader.session.token, position: toldToAll(traffic) };
  const histories = await Promise.all(
    rooms.map(async (room): Promise<RoomHistory> => {
      return { room, title: room, events: await readHistory(room, 0, at), script: undefined };
    }),
  );
  const heads = new Map(histories.map(({ room, events }) => [room, events.at(-1)?.s ?? 0]));
  const resumed = traffic.people.map(({ session, name, client }) => {
    const cursors = Object.fromEntries(
      rooms
        .map((room) => [room, client.cursors()[room]])
        .flatMap(([room, cursor]) =>
          cursor === undefined ? [] : [[room, [(cursor as [string, number])[0], 0] as const]],
        ),
    );
    return { name, kind: "resumed" as const, ...openRecorded(box.address, session, cursors) };
  });
  const live = traffic.people.map(({ name, told, client }) => ({ name, kind: "live" as const, told, client }));
  const all = [...live, ...resumed];
  await waitFor(
    "everybody was told everything",
    () =>
      all.every(({ told }) => rooms.every((room) => (told.rooms.get(room)?.at(-1)?.s ?? 0) >= (heads.get(room) ?? 0))),
    resumeMs,
  ).catch((error) => tally.faults.push(String(error)));
  const records = all.flatMap(({ name, kind, told }) =>
    rooms.map((room): Record => ({ who: name, kind, room, events: told.rooms.get(room) ?? [] })),
  );
  for (const { client } of resumed) client.close();
  const findings = judge({ journal: readJournal(box.journalFile), rooms: histories, records });
  tally.faults.push(...findings.flatMap(({ check, faults }) => faults.map((fault) => `${check}: ${fault}`)));
  await sendAllAgain(traffic, tally);
  await traffic.close();
}

const resumeMs = 20_000;
const sampleSize = 40;

/** Commands from all times, with their keys: the answer is the first one. */
async function sendAllAgain({ people, acknowledged }: Traffic, { faults }: Run["tally"]): Promise<void> {
  const each = Math.max(1, Math.floor(acknowledged.length / sampleSize));
  for (const { by, method, data, key, room, s } of acknowledged.filter((_, index) => index % each === 0)) {
    const client = people.find(({ session }) => session.user === by)?.client;
    const again = await client?.command(method, data as never, { key });
    if (again?.s !== s || again.room !== room)
      faults.push(`${method} ${key} was ${s}, and is ${again?.s} when it is sent again`);
  }
}

async function enterOutsider(url: string): Promise<Session> {
  const person = { url, email: "outsider@soak.example", password: "a long enough password" };
  await register({ ...person, name: "Outsider" });
  return signIn(person);
}

/** How far each room was looked at. */
class Seen {
  readonly #heads = new Map<string, number>();
  readonly #deleted = new Map<string, Set<number>>();
  #entries = 0;

  /** Holds everything that came since the last look against what was acknowledged since; nothing may be under way. */
  async check(address: string, traffic: Traffic): Promise<Verdict> {
    const entries = traffic.acknowledged.slice(this.#entries);
    this.#entries = traffic.acknowledged.length;
    const rooms = [...new Set(traffic.acknowledged.map(({ room }) => room))];
    for (const { room, method, data } of entries) {
      const deleted = this.#deleted.get(room) ?? new Set();
      this.#deleted.set(room, method === "deleteMessage" ? deleted.add(Number(data.message)) : deleted);
    }
    const verdicts = await Promise.all(
      rooms.map(async (room) => {
        const from = this.#heads.get(room) ?? 0;
        const by = traffic.people[0];
        const events = await readHistory(room, from, {
          address,
          token: by?.session.token ?? "",
          position: toldToAll(traffic),
        });
        this.#heads.set(room, events.at(-1)?.s ?? from);
        const own = entries.filter((entry) => entry.room === room);
        return verdictOn({ room, from, events, entries: own, deleted: this.#deleted.get(room) ?? new Set() });
      }),
    );
    return {
      lost: verdicts.flatMap(({ lost }) => lost),
      doubled: verdicts.flatMap(({ doubled }) => doubled),
      misordered: verdicts.flatMap(({ misordered }) => misordered),
    };
  }
}

/** Covers what anybody was told: one who reads later than others were answered may else be shown a history from before. */
function toldToAll({ people }: Traffic): string | undefined {
  return people.reduce<string | undefined>(
    (all, { client: { position } }) => (position === undefined ? all : mergeTokens(all, position)),
    undefined,
  );
}

function secondsSince(startedAt: number): string {
  return ((performance.now() - startedAt) / 1_000).toFixed(1);
}
