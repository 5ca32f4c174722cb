import { join } from "node:path";
import { downloadSteps, moveSteps, uploadSteps } from "@connect-hub/domain/content";
import { openPool } from "@connect-hub/postgres";
import { connect } from "@connect-hub/sdk";
import { WebSocket } from "ws";
import { readConnections } from "../../apps/hub/box/connections.ts";
import type { FaultResult, FaultRun } from "../faults/faultMain.ts";
import { randomFrom } from "../faults/random.ts";
import { Tally } from "../faults/table.ts";
import { forgottenFiles } from "../support/leftovers.ts";
import { type CrashBox, startCrashBox } from "./crashBox.ts";
import { check, type Kept, type Scene, type Struck, strikeDownload, strikeMove, strikeUpload } from "./strikes.ts";

/** How to go about it. */
export interface CrashOptions extends FaultRun {
  readonly rounds: number;
}

const columns = ["lost", "wrong"] as const;
type CrashTally = Tally<(typeof columns)[number]>;

const checkAtOnce = 4;

/** Kills the edge and placement at every step of uploads, moves and downloads, in each round once at each. */
export async function runCrash({ rounds, seed, say, onBox }: CrashOptions): Promise<FaultResult> {
  say(`Starting a box of its own … (seed ${seed})`);
  const box = await startCrashBox(onBox);
  try {
    const room = await makeRoom(box);
    const tally: CrashTally = new Tally([...uploadSteps, ...moveSteps, ...downloadSteps], columns);
    const kept: Kept[] = [];
    for (let round = 1; round <= rounds; round++) {
      const startedAt = performance.now();
      const scene = (name: string): Scene => ({ box, room, kept, random: randomFrom(`${seed}/${round}/${name}`) });
      await Promise.all([edgeRound(scene("edge"), tally), placementRound(scene("placement"), tally)]);
      tally.faults.push(...(await forgottenFiles(temporaryFolders(box))).map((path) => `${path} was forgotten`));
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
      say(`  Round ${String(round).padStart(2)}: ${kept.length} files, ${killsIn(tally)} kills, ${seconds} s`);
    }
    say("Downloading every file once more …");
    await checkAll(kept, box, tally);
    tally.faults.push(...box.edge.odd, ...box.placement.odd);
    return { rows: tally.rows, faults: tally.faults };
  } finally {
    await box.close();
  }
}

async function makeRoom({ box: { address }, session: { token, position } }: CrashBox): Promise<string> {
  const client = connect({ url: address, token, position, WebSocket });
  try {
    return (await client.command("createRoom", { name: "Crashes" })).room;
  } finally {
    client.close();
  }
}

async function edgeRound(scene: Scene, tally: CrashTally): Promise<void> {
  for (const step of scene.random.shuffled(uploadSteps)) add(tally, step, await strikeUpload(step, scene));
}

/** Downloads come last: they need something that was moved. */
async function placementRound(scene: Scene, tally: CrashTally): Promise<void> {
  for (const step of scene.random.shuffled(moveSteps)) add(tally, step, await strikeMove(step, scene));
  for (const step of scene.random.shuffled(downloadSteps)) add(tally, step, await strikeDownload(step, scene));
}

function add(tally: CrashTally, step: string, { isHit, lost, wrong }: Struck): void {
  tally.add(step, isHit ? 1 : 0, { lost, wrong });
}

const killsIn = ({ rows }: CrashTally): number => rows.reduce((sum, { hits }) => sum + hits, 0);

/** Every file that was ever acknowledged is there as it was brought, and there are no others. */
async function checkAll(kept: readonly Kept[], box: CrashBox, tally: CrashTally): Promise<void> {
  for (let from = 0; from < kept.length; from += checkAtOnce) {
    const { lost, wrong } = await check(kept.slice(from, from + checkAtOnce), { box });
    tally.faults.push(...lost, ...wrong);
  }
  const caughtUp = await box.box.hub("wait-caught-up");
  if (caughtUp.code !== 0) tally.faults.push(`hub wait-caught-up ended with ${caughtUp.code}: ${caughtUp.stderr}`);
  const records = await recordsIn(box);
  if (records !== kept.length) tally.faults.push(`${kept.length} files were acknowledged, and there are ${records}`);
}

async function recordsIn({ box: { folder } }: CrashBox): Promise<number> {
  const pool = openPool(readConnections(folder).contentUrl, { name: "crash", max: 1 });
  try {
    const { rows } = await pool.query("select count(*)::int as records from content.files");
    return Number((rows[0] as { readonly records: number } | undefined)?.records);
  } finally {
    await pool.end();
  }
}

function temporaryFolders({ box: { folder }, node }: CrashBox): readonly string[] {
  return [join(folder, "content/tmp"), join(node.folder, ".tmp")];
}
