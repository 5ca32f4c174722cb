import { randomBytes } from "node:crypto";
import { encodeBeat, factsVersionOf, type LiveBus, loadKeyedHashes, subjects } from "@connect-hub/domain/kernel";
import { roomCommands, roomModel } from "@connect-hub/domain/room";
import { memoryVault } from "@connect-hub/domain/testing";
import {
  connectNats,
  type Instances,
  joinInstances,
  type NatsLink,
  openLane,
  provisionLanes,
} from "@connect-hub/jetstream";
import { appLog } from "@connect-hub/runtime";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { type KeepLaneOptions, type KeptLane, keepLane } from "./keepLane.ts";

const id = "rooms.0";
let link: NatsLink;
let prefix: string;
let instances: Instances;
const never = (): never => expect.unreachable("not in this test");

beforeAll(async () => {
  link = await connectNats({ url: inject("natsUrl"), name: "keepLane test" });
});
afterAll(() => link?.close());
afterEach(() => instances.close());

/** Keeps a new lane whose tables are empty. */
async function keepNew(live: LiveBus, more: Partial<KeepLaneOptions> = {}): Promise<KeptLane> {
  prefix = `t${randomBytes(6).toString("hex")}-`;
  await provisionLanes(link, { prefix, lanes: [id], replicas: 1, maxBytes: 1024 ** 2 });
  const lane = await openLane(link, { prefix, id });
  instances = await joinInstances(link, prefix);
  const vault = memoryVault();
  const hashes = await loadKeyedHashes(vault);
  const factsVersion = factsVersionOf(roomModel);
  const checkpoint = { n: 0, hash: "", epoch: lane.epoch, generation: 1, factsVersion };
  const source = { load: async () => ({ checkpoint, rows: new Map(), parked: [] }) };
  const prepare = { hashes, hashPassword: never, verifyPassword: never };
  const parts = { model: roomModel, commands: roomCommands, vault, hashes, prepare, source, live, now: Date.now };
  const log = appLog("commands", "silent");
  return keepLane({ link, prefix, lane, instances, log, onOver: never, parts, ...more });
}

test("who stops while it takes its lane over lets go of it, and ends", async () => {
  let kept: KeptLane | undefined;
  let hasEnded = false;
  // Its first beat: it has the lane, and whoever stops can't know yet.
  const stop = vi.fn(() => void kept?.close().then(() => (hasEnded = true)));
  kept = await keepNew({ publish: () => stop.mock.calls.length === 0 && stop() });
  await vi.waitFor(() => expect(hasEnded).toBe(true), 5_000);
  expect([stop.mock.calls.length, kept.isLed]).toEqual([1, false]);
});

test("who loses its lane ends, though what ran beside the writer did not end well", async () => {
  const close = vi.fn(() => Promise.reject(new Error("did not end well")));
  const kept = await keepNew({ publish: () => undefined }, { whileLeading: () => ({ close }) });
  await vi.waitFor(() => expect(kept.isLed).toBe(true), 5_000);
  const { epoch } = await openLane(link, { prefix, id });
  const beat = { lane: id, epoch, term: 9, writer: "another", seq: 1, from: 0, to: 1, rooms: [] } as const;
  link.nc.publish(subjects(prefix).beat(id), encodeBeat(beat));
  await vi.waitFor(() => expect(close).toHaveBeenCalledTimes(1), 5_000);
  await kept.close();
});
