import { randomUUID } from "node:crypto";
import {
  type Command,
  candidates,
  decodeInstanceBeat,
  derivedId,
  instanceOf,
  laneOf,
  subjects,
} from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { commandSender, subscribeLive } from "@connect-hub/jetstream";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type AppProcess, startApps } from "./bench/appProcess.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "./support/chat.ts";

const lanes: readonly LaneId[] = ["accounts.0", "rooms.0", "rooms.1", "content.0"];
let chat: ChatUnderTest;
let edge: StartedEdge;
let ada: Person;
/** By instance. */
const running = new Map<string, AppProcess>();

/** Instances of `commands` in processes of their own, an edge, and somebody who talks. */
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers, { roomLanes: 2 });
  await startInstance();
  await chat.startProjector();
  edge = await chat.startEdge();
  ada = await chat.person(edge, "ada");
});
afterAll(async () => {
  for (const instance of running.keys()) signal(instance, "SIGCONT");
  await Promise.all([...running.values()].map((one) => one.close()));
  await chat?.close();
});

const leaders = async () => {
  const heard = await Promise.all(lanes.map((lane) => chat.box.nextBeat(lane)));
  return heard.map(({ writer }) => instanceOf(writer));
};

/** Starts one more instance; resolves with its id. */
async function startInstance(): Promise<string> {
  const known = new Set(running.keys());
  const heard = new Promise<string>((resolve) => {
    const listening = subscribeLive(chat.box.link, subjects(chat.box.prefix).instances, ({ body }) => {
      const { instance } = decodeInstanceBeat(body) ?? expect.unreachable();
      if (known.has(instance)) return;
      listening.unsubscribe();
      resolve(instance);
    });
  });
  const started = await startApps(["commands"], { ...chat.box.env, HUB_LOG_LEVEL: "error" });
  const instance = await heard;
  running.set(instance, started);
  return instance;
}

function signal(instance: string, name: NodeJS.Signals): void {
  process.kill(running.get(instance)?.pid ?? expect.unreachable(), name);
}

/** Posts one message after another in a room until `close`, which tells the longest time between two answers. */
async function steady() {
  const talker = ada.connect();
  const { room } = await talker.client.command("createRoom", { name: "Engine" });
  const told: number[] = [];
  let isOpen = true;
  let longestMs = 0;
  const talking = (async () => {
    for (let at = performance.now(); isOpen; ) {
      told.push((await talker.client.command("postMessage", { room, text: `${told.length}` })).s);
      longestMs = Math.max(longestMs, performance.now() - at);
      at = performance.now();
    }
  })();
  return {
    room,
    lane: laneOf("rooms", room, 2),
    async close() {
      isOpen = false;
      await talking;
      // Each was answered once, and is there once, in the order of sending.
      expect(told).toEqual(told.map((_, at) => at + 2));
      await expect.poll(() => talker.events(room).length).toBe(told.length + 1);
      return longestMs;
    },
  };
}

function post(room: string, actor: string): Command {
  const key = { actor, id: derivedId(Date.now(), randomUUID()) };
  return { key, kind: "postMessage", subject: room, data: { room, text: "x" }, deadlineAt: Date.now() + 30_000 };
}

describe("instances of commands", () => {
  test("share the lanes as the candidates say, and hand them over, without a pause", async () => {
    const firsts = () => lanes.map((lane) => candidates(lane, running.keys())[0]);
    const [first = ""] = running.keys();
    await startInstance();
    // It has been there for too short a time to take a lane.
    const talking = await steady();
    await expect.poll(leaders, { timeout: 10_000 }).toEqual(firsts());
    await running.get(first)?.close();
    running.delete(first);
    expect(await leaders()).toEqual(firsts());
    expect(await talking.close()).toBeLessThan(500);
  });

  test("one that stands still loses its lanes within 5 s; awake again it says nothing that counts", async () => {
    await startInstance();
    const talking = await steady();
    const frozen = instanceOf((await chat.box.nextBeat(talking.lane)).writer);
    const { writer } = await chat.box.nextBeat(talking.lane);
    signal(frozen, "SIGSTOP");
    const frozenAt = performance.now();
    const sender = commandSender(chat.box.link, { onMalformed: () => undefined, graceMs: 60_000 });
    const subject = subjects(chat.box.prefix).commands(talking.lane, writer);
    // It would store the first and refuse the second; both lie in its socket when it wakes up.
    const toTheFrozen = [post(talking.room, ada.user), post(talking.room, randomUUID())];
    const answers = Promise.all(toTheFrozen.map((one) => sender.send(subject, one)));
    await expect.poll(async () => (await leaders()).includes(frozen), { timeout: 8_000 }).toBe(false);
    expect(performance.now() - frozenAt).toBeLessThan(5_000);
    signal(frozen, "SIGCONT");
    expect(await answers).toEqual(toTheFrozen.map(() => ({ refused: { code: "LaneMoved" } })));
    sender.close();
    await talking.close();
  });

  test("what one leads that is killed is another's within 5 s", async () => {
    const talking = await steady();
    const killed = instanceOf((await chat.box.nextBeat(talking.lane)).writer);
    signal(killed, "SIGKILL");
    const killedAt = performance.now();
    await expect.poll(async () => (await leaders()).includes(killed), { timeout: 8_000 }).toBe(false);
    expect(performance.now() - killedAt).toBeLessThan(5_000);
    running.delete(killed);
    await talking.close();
  });
});
