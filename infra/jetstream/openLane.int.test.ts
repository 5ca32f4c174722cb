import { randomBytes } from "node:crypto";
import { laneFeatures } from "@connect-hub/domain/testing";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { openLane } from "./openLane.ts";
import { provisionLanes } from "./provisionLanes.ts";

const newPrefix = () => `t${randomBytes(6).toString("hex")}-`;
const small = { replicas: 1, maxBytes: 16 * 1024 * 1024 };
let link: NatsLink;
let otherLink: NatsLink;

beforeAll(async () => {
  link = await connectNats({ url: inject("natsUrl"), name: "lane test" });
  otherLink = await connectNats({ url: inject("natsUrl"), name: "other process" });
});
afterAll(async () => {
  await link.close();
  await otherLink.close();
});

describe("a lane on JetStream", () => {
  laneFeatures(async () => {
    const prefix = newPrefix();
    await provisionLanes(link, { prefix, lanes: ["rooms.0"], ...small });
    const lane = await openLane(link, { prefix, id: "rooms.0" });
    const other = await openLane(otherLink, { prefix, id: "rooms.0" });
    return {
      lane,
      other,
      close: async () => void (await link.nc.request(`$JS.API.STREAM.DELETE.${streamOf(lane.epoch, prefix)}`)),
    };
  });
});

const streamOf = (epoch: string, prefix: string) => `${prefix}LOG_rooms_0_${epoch.slice(0, 8)}`;

describe("refusals of a lane on JetStream", () => {
  test("a full log and a commit that no server takes are refusals, not doubts", async () => {
    const prefix = newPrefix();
    await provisionLanes(link, { prefix, lanes: ["rooms.0"], replicas: 1, maxBytes: 200_000 });
    const lane = await openLane(link, { prefix, id: "rooms.0" });
    expect(await lane.append(new Uint8Array(150_000), 0)).toBe("stored");
    expect(await lane.append(new Uint8Array(150_000), 1)).toEqual({ refused: "full" });
    expect(await lane.append(new Uint8Array(2_000_000), 1)).toEqual({ refused: "tooLarge" });
    expect(await lane.append(new Uint8Array(1_000), 1)).toBe("stored");
  });
});
