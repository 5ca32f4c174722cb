import { resolve } from "node:path";
import type { BoxNodes } from "../support/boxNodes.ts";
import { type Box, startBox } from "./box.ts";
import { type Heads, pagedHistories, recordsOf, resumedRecords, waitForRecords } from "./evidence.ts";
import { fileFindings } from "./fileFindings.ts";
import { type Acknowledged, openJournal, readJournal } from "./journal.ts";
import { type Finding, judge } from "./judge.ts";
import { aimAt, type Victim, victims } from "./kill.ts";
import { openLibrary } from "./library.ts";
import { budgetFinding, chooseMoving, forwardSome, type Strike, startDelivery } from "./moving.ts";
import { addNodes } from "./nodes.ts";
import { operatorFindings } from "./operator.ts";
import { gather, type Person } from "./people.ts";
import { linesOf, perform, type Stage, setStage } from "./perform.ts";
import { type Act, castOf, readPlay } from "./play.ts";
import { breakBox, breakBytes, type Sabotage } from "./sabotage.ts";

export interface DemoOptions {
  /** What is done behind the system's back before it is judged. */
  readonly sabotage: Sabotage | undefined;
  /** Where a backup of the box is put before the box is gone. */
  readonly backup: string | undefined;
  readonly say: (text: string) => void;
  /** Called with what ends the box, as soon as there is one. */
  readonly onBox: (close: () => Promise<void>) => void;
}

/** How many commands are repeated at the end, and how often a client's line is cut. */
const repeats = 25;
const liveMs = 30_000;
const linesPerCut = 300;
/** What else is killed in which act, while it moves files. */
const strikes: readonly (Strike | undefined)[] = [undefined, "the placement worker", undefined, "a node"];

/** Runs the whole demo; the answer is the verdict. */
export async function runDemo({ sabotage, backup, say, onBox }: DemoOptions): Promise<readonly Finding[]> {
  const acts = readPlay();
  const moving = chooseMoving();
  say("Starting a box of its own …");
  let adding: Promise<BoxNodes> | undefined;
  const closeNodes = () => adding?.then((nodes) => nodes.close()).catch(() => undefined);
  const box = await startBox((close) => onBox(() => close().finally(closeNodes)), {
    HUB_CONTENT_BYTES: String(moving.budgetBytes),
  });
  const journal = openJournal(box.journalFile);
  let people: readonly Person[] = [];
  try {
    say(`Registering ${castOf(acts).length} people and connecting them to ${box.address} …`);
    adding = addNodes(box);
    // It is awaited when everybody is there.
    adding.catch(() => undefined);
    people = await gather(castOf(acts), box.address, journal);
    const stage = await setStage(acts, people);
    const library = await openLibrary(people);
    const nodes = await adding;
    const delivery = startDelivery(moving, { box, nodes, library });
    say(`Speaking the play, and bringing ${moving.files.length} files past a budget of ${inMiB(moving.budgetBytes)} …`);
    for (const [index, act] of acts.entries()) {
      const strike = strikes[index];
      const kills = { victim: victims[index] ?? "edge", also: strike };
      const playing = playAct(act, kills, { box, stage, people, say });
      await Promise.all([playing, delivery.bring(index, acts.length, strike)]);
    }
    say("Waiting for the last files to move, forwarding some, and deleting the messages that they came in …");
    const carried = await delivery.finish();
    const files = await forwardSome(carried.brought, library);
    say("Repeating some commands, and waiting for what is still on its way …");
    const acknowledged = readJournal(box.journalFile);
    const repeated = await repeatSome(acknowledged, people);
    const heads = headsOf(acknowledged);
    const live = await closeRecords(people, heads);
    const caughtUp = await box.hub("wait-caught-up");
    if (caughtUp.code !== 0) throw new Error(`The projector does not catch up: ${caughtUp.stderr}`);
    if (sabotage !== undefined) {
      say(`Sabotage: ${sabotage} …`);
      if (sabotage === "bytes") await breakBytes(box, nodes.all, files.brought);
      else await breakBox(box, sabotage, sceneToBreak(acts, stage));
    }
    say("Resuming with new connections, paging through all histories …");
    const records = [...live, ...(await resumedRecords(box, people, heads))];
    const rooms = await pagedHistories(box, acts, stage, library);
    say("Downloading every file …");
    const evidence = { box, nodes: nodes.all, library, ...files };
    const fileChecks = [...(await fileFindings(evidence)), budgetFinding(moving, carried)];
    say("Verifying the log, folding it, dropping the tables and replaying them …");
    const ofOperator = await operatorFindings(box);
    if (backup !== undefined) say(await backUp(box, backup));
    return [...judge({ journal: acknowledged, rooms, records }), repeated, ...fileChecks, ...ofOperator];
  } finally {
    for (const { client } of people) client.close();
    journal.close();
    await box.close();
    await closeNodes();
  }
}

/** Backs the box up, and says what its tables hold: the same as those of whatever is restored from it. */
async function backUp(box: Box, folder: string): Promise<string> {
  const digest = await box.hub("digest");
  const taken = await box.hub("backup", resolve(folder));
  if (taken.code !== 0) throw new Error(`The backup failed: ${taken.stderr}`);
  return `Backed up to ${resolve(folder)}. ${digest.stdout.trimEnd()}`;
}

const inMiB = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;

interface Scenery {
  readonly box: Box;
  readonly stage: Stage;
  readonly people: readonly Person[];
  readonly say: (text: string) => void;
}

/** Speaks an act and kills something in its middle; the talk goes on all the while. */
async function playAct(
  act: Act,
  { victim, also }: { readonly victim: Victim; readonly also: Strike | undefined },
  { box, stage, people, say }: Scenery,
): Promise<void> {
  const startedAt = performance.now();
  const aim = await aimAt(box, victim);
  let lines = 0;
  let silence = { since: Number.NaN, longest: 0 };
  await perform(act, stage, {
    async onMiddle() {
      aim.kill();
      silence = { since: performance.now(), longest: 0 };
      await aim.isBack();
    },
    onLine() {
      lines += 1;
      const now = performance.now();
      if (!Number.isNaN(silence.since)) {
        silence = { since: now, longest: Math.max(silence.longest, now - silence.since) };
      }
      if (lines % linesPerCut === 0) people[lines % people.length]?.client.cutLine();
    },
  });
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  const what = `${linesOf(act)} lines in ${act.scenes.length} rooms`;
  const took = seconds(performance.now() - startedAt);
  const killed = also === undefined ? victim : `${victim} and ${also}`;
  say(
    `  Act ${act.name.padEnd(3)} ${what}, ${took}; ${killed} killed, the longest silence after it ${seconds(silence.longest)}`,
  );
}

/** Sends some commands again, with their keys: each must be told what it was told the first time. */
async function repeatSome(journal: readonly Acknowledged[], people: readonly Person[]): Promise<Finding> {
  const step = Math.max(1, Math.floor(journal.length / repeats));
  const chosen = journal.filter((_, index) => index % step === 0);
  const faults = await Promise.all(
    chosen.map(async ({ key, by, method, data, room, s }) => {
      const person = people.find(({ session }) => session.user === by);
      const answer = await person?.client.command(method, data as never, { key });
      return answer?.room === room && answer.s === s
        ? []
        : [`${method} ${key} was ${s}, now ${JSON.stringify(answer)}`];
    }),
  );
  return {
    check: "a repeated command gets its first answer",
    looked: `${chosen.length} commands`,
    faults: faults.flat(),
  };
}

/** Waits until all live records are complete, takes them, and hangs up. */
async function closeRecords(people: readonly Person[], heads: Heads) {
  const connections = people.map(({ client, told, name }) => {
    return { client, told, name, heads: new Map([...heads].filter(([room]) => client.rooms.has(room))) };
  });
  await waitForRecords(connections, liveMs);
  for (const { client } of connections) client.close();
  return connections.flatMap((one) => recordsOf(one.name, "live", one.told, one.heads));
}

function headsOf(journal: readonly Acknowledged[]): Heads {
  const heads = new Map<string, number>();
  for (const { room, s } of journal) heads.set(room, Math.max(heads.get(room) ?? 0, s));
  return heads;
}

/** A room whose last two events are both messages. */
function sceneToBreak(acts: readonly Act[], stage: Stage): string {
  const scene = acts.flatMap(({ scenes }) => scenes).find(({ lines: { length } }) => length % 5 > 1);
  return stage.rooms.get(scene?.title ?? "") ?? "";
}
