import { expect, test } from "vitest";
import { appEnv } from "./app.ts";

test("an app's own variables win over the common ones, and leave the other apps' alone", () => {
  const env = { HUB_NATS_USER: "hub", HUB_EDGE_NATS_USER: "edge", HUB_COMMANDS_NATS_USER: "commands", PATH: "/bin" };
  expect(appEnv("edge", env)).toMatchObject({ HUB_NATS_USER: "edge", PATH: "/bin" });
  expect(appEnv("projector", env)).toMatchObject({ HUB_NATS_USER: "hub" });
});
