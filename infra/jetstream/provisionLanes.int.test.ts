import { randomBytes } from "node:crypto";
import type { LaneId } from "@connect-hub/domain/values";
import { DiscardPolicy, jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { checkLane } from "./checkLane.ts";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { LaneCountFixed, LaneNotFound, LaneUnsound } from "./errors.ts";
import { listLanes } from "./laneRegistry.ts";
import { openLane } from "./openLane.ts";
import { provisionLanes } from "./provisionLanes.ts";

const small = { replicas: 1, maxBytes: 1024 * 1024 };
const newPrefix = () => `t${randomBytes(6).toString("hex")}-`;
let link: NatsLink;
let other: NatsLink;
beforeAll(async () => {
  link = await connectNats({ url: inject("natsUrl"), name: "provision test" });
  other = await connectNats({ url: inject("natsUrl"), name: "another provisioner" });
});
afterAll(async () => {
  await link.close();
  await other.close();
});

const lanesOf = async (prefix: string) => (await listLanes(link, prefix)).map(({ lane }) => lane);
const epochOf = async (prefix: string, id: LaneId) => (await openLane(link, { prefix, id })).epoch;
const streamOf = async (prefix: string, id: LaneId) =>
  `${prefix}LOG_${id.replace(".", "_")}_${(await epochOf(prefix, id)).slice(0, 8)}`;

test("provisioners that start together agree, and leave one stream a lane", async () => {
  const prefix = newPrefix();
  const lanes: LaneId[] = ["accounts.0", "rooms.0", "rooms.1"];
  await Promise.all([link, other, link, other].map((one) => provisionLanes(one, { prefix, lanes, ...small })));
  expect(await lanesOf(prefix)).toEqual(lanes);
  const names: string[] = [];
  for await (const stream of (await jetstreamManager(link.nc)).streams.list(`${prefix}log.>`))
    names.push(stream.config.name);
  expect(names.sort()).toEqual(await Promise.all(lanes.map((lane) => streamOf(prefix, lane))));
  for (const id of lanes) expect(await checkLane(link, { prefix, id })).toEqual([]);
});

test("again changes nothing, and a context may come later", async () => {
  const prefix = newPrefix();
  await provisionLanes(link, { prefix, lanes: ["accounts.0"], ...small });
  const epoch = await epochOf(prefix, "accounts.0");
  expect(epoch).toMatch(/^[0-9a-f]{32}$/);
  await provisionLanes(link, { prefix, lanes: ["accounts.0", "rooms.0"], ...small });
  expect(await epochOf(prefix, "accounts.0")).toBe(epoch);
  expect(await lanesOf(prefix)).toEqual(["accounts.0", "rooms.0"]);
});

test("the number of a context's lanes can't be changed in passing", async () => {
  const prefix = newPrefix();
  await provisionLanes(link, { prefix, lanes: ["rooms.0"], ...small });
  const more = provisionLanes(link, { prefix, lanes: ["rooms.0", "rooms.1"], ...small });
  await expect(more).rejects.toThrow(LaneCountFixed);
  expect(await lanesOf(prefix)).toEqual(["rooms.0"]);
});

test("a lane that nobody made is not found", async () => {
  const prefix = newPrefix();
  await expect(openLane(link, { prefix, id: "rooms.0" })).rejects.toThrow(LaneNotFound);
  expect(await lanesOf(prefix)).toEqual([]);
  await provisionLanes(link, { prefix, lanes: ["accounts.0"], ...small });
  await expect(openLane(link, { prefix, id: "rooms.0" })).rejects.toThrow(LaneNotFound);
});

test("a stream that would cut the log by itself is refused, with what is wrong", async () => {
  const prefix = newPrefix();
  await provisionLanes(link, { prefix, lanes: ["rooms.0"], ...small });
  const lane = await openLane(link, { prefix, id: "rooms.0" });
  for (let n = 1; n <= 5; n++) await lane.append(Buffer.from(`${n}`), n - 1);
  const manager = await jetstreamManager(link.nc);
  await manager.streams.update(await streamOf(prefix, "rooms.0"), { discard: DiscardPolicy.Old, max_msgs: 2 });
  await expect(openLane(link, { prefix, id: "rooms.0" })).rejects.toThrow(LaneUnsound);
  await expect(provisionLanes(link, { prefix, lanes: ["rooms.0"], ...small })).rejects.toThrow(LaneUnsound);
  expect(await checkLane(link, { prefix, id: "rooms.0" })).toEqual([
    { field: "discard", is: "old", must: "new" },
    { field: "max_msgs", is: 2, must: -1 },
    { field: "first_seq", is: 4, must: 1 },
  ]);
});

test("a lane whose stream is gone is a lost log, not a new one", async () => {
  const prefix = newPrefix();
  await provisionLanes(link, { prefix, lanes: ["rooms.0"], ...small });
  const lane = await openLane(link, { prefix, id: "rooms.0" });
  const reading = lane.read(1, new AbortController().signal)[Symbol.asyncIterator]();
  await (await jetstreamManager(link.nc)).streams.delete(await streamOf(prefix, "rooms.0"));
  await expect(provisionLanes(link, { prefix, lanes: ["rooms.0"], ...small })).rejects.toThrow("stream is");
  await expect(openLane(link, { prefix, id: "rooms.0" })).rejects.toThrow(LaneUnsound);
  await expect(reading.next()).rejects.toThrow(LaneUnsound);
  expect(await lane.append(Buffer.from("x"), 0)).toBe("unclear");
});
