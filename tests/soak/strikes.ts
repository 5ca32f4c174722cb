import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pause } from "@connect-hub/domain/kernel";
import { waitFor } from "../demo/waitFor.ts";
import { killApp, leaderOf, type Scene, waitForAnother } from "./scene.ts";

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
    try {
      await waitForAnother(scene, lane, leader);
      leader.line.lose("log.");
    } finally {
      process.kill(leader.app.pid, "SIGCONT");
    }
    await pause(2_000);
    leader.line.lose(undefined);
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

  "kill Postgres": ({ soak }) => killSupervised(soak.box.folder, "postgres"),

  async "kill the leader of a lane's stream"({ soak: { nats, streams }, random }) {
    const stream = random.pick(streams);
    const leader = stream === undefined ? undefined : await nats.leaderOf(stream);
    if (leader === undefined) return false;
    await nats.killOne(leader);
    return true;
  },

  async "kill all of NATS"({ soak: { nats } }) {
    await nats.kill();
    return true;
  },
};

/** Kills a process of the box's supervisor and waits until it runs again. */
async function killSupervised(folder: string, name: string): Promise<boolean> {
  const pid = () => Number(readFileSync(join(folder, `run/${name}.pid`), "utf8").split("\n")[0]);
  const before = pid();
  process.kill(before, "SIGKILL");
  const isBack = () => {
    try {
      return pid() !== before;
    } catch {
      return false;
    }
  };
  await waitFor(`${name} runs again`, isBack, backMs, 50);
  return true;
}

/** How long a step may take to be come by before something is done for it, and at most. */
const patienceMs = 1_500;
const stepMs = 20_000;

/** Lets whoever comes by a step die there, or freeze until others have gone on without it. */
export async function strikeAt(step: string, scene: Scene): Promise<boolean> {
  const { soak, random } = scene;
  const how = random.between(1, 3) === 1 ? "stop" : "kill";
  soak.arm(step, random.between(1, 3), how);
  const endsAt = Date.now() + stepMs;
  let provokesAt = Date.now() + patienceMs;
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

/** A lane is taken over only when its writer is gone. */
async function provoke(step: string, scene: Scene): Promise<void> {
  if (!step.startsWith("append.t")) return;
  const { app } = await leaderOf(scene, anyLane(scene));
  await killApp(app);
}
