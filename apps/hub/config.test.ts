import { join } from "node:path";
import { checkout } from "@connect-hub/runtime";
import { BadSetting } from "@connect-hub/runtime/settings";
import { expect, test } from "vitest";
import { readConfig } from "./config.ts";

test("without settings the box is on the loopback address and its data in the checkout", () => {
  expect(readConfig({})).toMatchObject({
    dataDir: join(checkout, ".hub"),
    host: "127.0.0.1",
    port: 7750,
    ports: { nats: 7751, postgres: 7752, valkey: 7753 },
    placementPort: 7754,
    metricsPort: 7755,
    privateOnly: false,
    processes: [
      { name: "edge+commands", apps: ["edge", "commands"] },
      { name: "projector", apps: ["projector"] },
      { name: "placement", apps: ["placement"] },
    ],
    roomLanes: 1,
  });
});

test("placement's port is any free one where the edge's is", () => {
  expect(readConfig({ HUB_PORT: "0" })).toMatchObject({ placementPort: 0, metricsPort: 0 });
  expect(readConfig({ HUB_PORT: "0", HUB_PLACEMENT_PORT: "9" }).placementPort).toBe(9);
});

test("an empty variable is as good as none", () => {
  expect(readConfig({ HUB_PORT: "", HUB_NATS_URL: "", HUB_DATA: "" })).toEqual(readConfig({}));
});

test("the command line's data folder wins over the environment's", () => {
  expect(readConfig({ HUB_DATA: "/from/environment" }, "/from/line").dataDir).toBe("/from/line");
  expect(readConfig({ HUB_DATA: "relative" }).dataDir).toBe(join(checkout, "relative"));
  // As npm says where somebody typed.
  expect(readConfig({ INIT_CWD: "/home/ada" }, "box").dataDir).toBe("/home/ada/box");
});

test.each([
  ["HUB_PORT", "seventy"],
  ["HUB_NATS_PORT", "70000"],
  ["HUB_SERVERS", "public"],
  ["HUB_ROOM_LANES", "0"],
  ["HUB_LANE_BYTES", "-1"],
  ["HUB_PLACEMENT_PORT", "x"],
  ["HUB_CONTENT_BYTES", "0"],
  ["HUB_CONTENT_RESERVE_BYTES", "-1"],
  ["HUB_PROCESSES", "edge+unknown"],
  ["HUB_PROCESSES", "edge,edge"],
  ["HUB_PROCESSES", "edge,,projector"],
])("a bad %s is named", (variable, value) => {
  expect(() => readConfig({ [variable]: value })).toThrow(BadSetting);
  expect(() => readConfig({ [variable]: value })).toThrow(variable);
});

test("three replicas need nats-servers of one's own", () => {
  expect(readConfig({}).natsReplicas).toBe(1);
  expect(() => readConfig({ HUB_NATS_REPLICAS: "3" })).toThrow(/HUB_NATS_URL=nats:/);
  expect(() => readConfig({ HUB_NATS_REPLICAS: "2" })).toThrow("HUB_NATS_REPLICAS must be 1 or 3");
  expect(readConfig({ HUB_NATS_REPLICAS: "3", HUB_NATS_URL: "nats://a,nats://b,nats://c" }).natsReplicas).toBe(3);
});

test("at NATS by URL each app may sign in as a user of its own", () => {
  const logins = {
    HUB_NATS_USER: "hub",
    HUB_NATS_PASSWORD: "h",
    HUB_EDGE_NATS_USER: "edge",
    HUB_EDGE_NATS_PASSWORD: "e",
  };
  expect(readConfig(logins).natsLogins).toEqual({
    hub: { user: "hub", password: "h" },
    edge: { user: "edge", password: "e" },
  });
});

test("a certificate needs its key; paths are the checkout's", () => {
  expect(readConfig({}).tls).toBeUndefined();
  expect(readConfig({ HUB_TLS_CERT: "tls/cert.pem", HUB_TLS_KEY: "/etc/key.pem" }).tls).toEqual({
    cert: join(checkout, "tls/cert.pem"),
    key: "/etc/key.pem",
  });
  expect(() => readConfig({ HUB_TLS_CERT: "a" })).toThrow(/HUB_TLS_CERT is set and HUB_TLS_KEY is not: set both/);
  expect(() => readConfig({ HUB_TLS_KEY: "a" })).toThrow(/HUB_TLS_KEY is set and HUB_TLS_CERT is not: set both/);
});
