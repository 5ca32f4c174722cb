import { pause } from "@connect-hub/domain/kernel";
import { register } from "@connect-hub/sdk";
import { newKey } from "../../demo/newKey.ts";
import { waitFor } from "../../demo/waitFor.ts";
import { killApp } from "../../faults/keptApp.ts";
import { killSupervised } from "../../faults/ownBox.ts";
import { surely, uploadSurely } from "../../support/fileDoor.ts";
import type { RunningLoss } from "../../support/natsLine.ts";
import { saveLog } from "./olderLog.ts";
import { leaderOf, type Scene, waitForAnother } from "./scene.ts";

/** Does something to the box while people write; whether it happened. */
export type Strike = (scene: Scene) => Promise<boolean>;

const lanes = ["rooms.0", "rooms.1", "content.0", "accounts.0"] as const;
/** Longer than anybody waits for a writer or a projector that is silent. */
const frozenMs = 6_000;
const backMs = 30_000;

const anyLane = ({ random }: Scene): string => random.pick(lanes) ?? lanes[0];

/** What is done besides the failpoints, by the names in the table. */
export const strikes: { readonly [name: string]: Strike } = {
  async "kill a writer"(scene) {
    const { app } = await leaderOf(scene, anyLane(scene));
    await killApp(app);
    return true;
  },

  async "freeze a writer"(scene) {
    const lane = anyLane(scene);
    const leader = await leaderOf(scene, lane);
    process.kill(leader.app.pid, "SIGSTOP");
    try {
      await waitForAnother(scene, lane, leader);
      await pause(scene.random.between(0, 1_000));
    } finally {
      process.kill(leader.app.pid, "SIGCONT");
    }
    return true;
  },

  async "kill all writers"({ soak }) {
    await Promise.all(soak.commands.map(({ app }) => killApp(app)));
    return true;
  },

  /** What it sent arrives when another leads. */
  async "hold a writer's line"(scene) {
    const lane = scene.random.pick(["rooms.0", "rooms.1"]) ?? "rooms.0";
    const leader = await leaderOf(scene, lane);
    leader.line.hold();
    try {
      await waitForAnother(scene, lane, leader);
      await pause(scene.random.between(0, 500));
    } finally {
      leader.line.release();
    }
    return true;
  },

  /** It wakes when another leads, and can do all but append: beat, refuse, answer what it holds for known. */
  async "let a zombie speak"(scene) {
    const lane = scene.random.pick(["rooms.0", "rooms.1"]) ?? "rooms.0";
    const leader = await leaderOf(scene, lane);
    process.kill(leader.app.pid, "SIGSTOP");
    let appends: RunningLoss | undefined;
    try {
      await waitForAnother(scene, lane, leader);
      appends = leader.line.lose({ subject: "log." });
    } finally {
      process.kill(leader.app.pid, "SIGCONT");
    }
    await pause(2_000);
    appends.end();
    return true;
  },

  async "kill a projector"({ soak, random }) {
    const projector = random.pick(soak.projectors);
    if (projector === undefined) return false;
    await killApp(projector);
    return true;
  },

  async "freeze a projector"({ soak, random }) {
    const projector = random.pick(soak.projectors);
    if (projector === undefined) return false;
    process.kill(projector.pid, "SIGSTOP");
    await pause(frozenMs);
    process.kill(projector.pid, "SIGCONT");
    return true;
  },

  async "kill the edge"({ soak }) {
    await killApp(soak.edge);
    return true;
  },

  async "kill Postgres"({ soak }) {
    await killSupervised(soak.box.folder, "postgres");
    return true;
  },

  async "kill the leader of a lane's stream"({ soak: { nats, streams }, random }) {
    const stream = random.pick(streams);
    const leader = stream === undefined ? undefined : await nats.leaderOf(stream);
    if (leader === undefined) return false;
    await nats.killOne(leader);
    return true;
  },

  "restore an older log": (scene) => restoreOlderLog(scene),

  async "kill all of NATS"({ soak: { nats } }) {
    await nats.kill();
    return true;
  },
};

/**
 * Puts an older log beneath everything, without a word to anybody: nothing may be acknowledged on it, and the projectors halt. Then
 * it is as before.
 */
async function restoreOlderLog(scene: Scene, meanwhile?: () => Promise<void>): Promise<boolean> {
  const { soak, traffic } = scene;
  const { address, hub } = soak.box;
  const saved = saveLog(soak.nats);
  await writeToAllLanes(address, scene);
  await traffic.rest();
  const settled = await hub("wait-caught-up");
  if (settled.code !== 0) throw new Error(`hub wait-caught-up ended with ${settled.code}: ${settled.stderr}`);
  saved.putBack();
  const before = traffic.acknowledged.length;
  traffic.go();
  const isHalted = async () => /HALTED/.test((await hub("projections", "list")).stdout);
  try {
    await meanwhile?.();
    await waitFor("projectors halt on an older log", isHalted, haltMs, 250);
    await pause(olderMs);
  } finally {
    const acknowledged = traffic.acknowledged.length - before;
    saved.undo();
    if (acknowledged > 0) traffic.faults.push(`${acknowledged} commands were acknowledged on an older log`);
  }
  await waitFor("projectors go on when their log is back", async () => !(await isHalted()), haltMs, 250);
  return true;
}

const haltMs = 30_000;
const olderMs = 2_000;

/** So that each of them is longer than it was. */
async function writeToAllLanes(url: string, scene: Scene): Promise<void> {
  const { traffic, random } = scene;
  const [person] = traffic.people;
  const email = `${random.between(1, 1e9)}@soak.example`;
  const account = { url, email, password: "a long enough password", name: "Somebody", key: newKey() };
  await surely(backMs, () => register(account));
  const room = traffic.rooms[0] ?? "";
  const upload = { room, name: "a.txt", type: "text/plain", key: newKey() };
  await uploadSurely({ address: url, token: person?.session.token ?? "" }, upload, new Uint8Array(1), backMs);
  for (const each of traffic.rooms) await person?.say("postMessage", { room: each, text: `more ${email}` });
}

/** How long a step may take to be come by before something is done for it, and at most. */
const patienceMs = 5_000;
const stepMs = 20_000;

/** What happens at the steps of one kind; of rebuilding only the one who asked for it can die. */
export function strikeAt(step: string, scene: Scene): Promise<boolean> {
  if (step.startsWith("rebuild.")) return strikeRebuild(step, scene);
  if (step === "project.halted") {
    scene.soak.arm(step, 1, "kill");
    return restoreOlderLog(scene, () => waitFor(`somebody dies at ${step}`, () => !scene.soak.isArmed(step), haltMs));
  }
  return strikeWhileWriting(step, scene);
}

/** Lets `hub projections rebuild` die, or stand still for a while, in its midst; asked for once more, it comes to its end. */
async function strikeRebuild(step: string, { soak, random }: Scene): Promise<boolean> {
  const how = random.between(1, 3) === 1 ? "stop" : "kill";
  soak.arm(step, 1, how);
  let isOver = false;
  const rebuilding = soak.box.hub("projections", "rebuild", "rooms").finally(() => {
    isOver = true;
  });
  await waitFor(`the rebuild comes by ${step}`, () => isOver || !soak.isArmed(step), rebuildMs);
  const isHit = !soak.isArmed(step);
  soak.disarm(step);
  if (isHit && how === "stop") {
    await pause(frozenMs / 2);
    soak.goOn(step);
  }
  const first = await rebuilding;
  const last = isHit && how === "kill" ? await soak.box.hub("projections", "rebuild", "rooms") : first;
  if (last.code !== 0) throw new Error(`hub projections rebuild ended with ${last.code}: ${last.stdout}${last.stderr}`);
  return isHit;
}

const rebuildMs = 60_000;

/** Lets whoever comes by a step die there, or freeze until others have gone on without it. */
async function strikeWhileWriting(step: string, scene: Scene): Promise<boolean> {
  const { soak, random } = scene;
  const how = random.between(1, 3) === 1 ? "stop" : "kill";
  soak.arm(step, random.between(1, 3), how);
  const endsAt = Date.now() + stepMs;
  let provokesAt = Date.now() + 500;
  while (soak.isArmed(step) && Date.now() < endsAt) {
    if (Date.now() > provokesAt) {
      await provoke(step, scene);
      provokesAt = Date.now() + patienceMs;
    }
    await pause(20);
  }
  if (soak.isArmed(step)) {
    soak.disarm(step);
    return false;
  }
  if (how === "stop") {
    await pause(frozenMs);
    soak.goOn(step);
  } else await Promise.all([...soak.commands.map(({ app }) => app), ...soak.projectors].map((app) => app.ready()));
  return true;
}

/** A lane is taken over only when its writer is gone, and leased anew only when a projector begins. */
async function provoke(step: string, scene: Scene): Promise<void> {
  if (step === "project.leased") await killApp(scene.random.pick(scene.soak.projectors) ?? scene.soak.edge);
  if (!step.startsWith("append.t")) return;
  const { app } = await leaderOf(scene, anyLane(scene));
  await killApp(app);
}
