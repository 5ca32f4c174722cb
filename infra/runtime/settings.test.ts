import { expect, test } from "vitest";
import { z } from "zod";
import { BadSetting, natsUrls, readSettings } from "./settings.ts";

const schema = z.object({
  HUB_NAME: z.string(),
  HUB_SECRET: z.string().min(16).default("sixteen letters.."),
  HUB_PORT: z.coerce.number().int().min(0).max(65_535).default(1),
  HUB_HOURS: z.coerce.number().positive().default(1),
  HUB_LEVEL: z.enum(["low", "high"]).default("low"),
  HUB_NATS: natsUrls.default("nats://a"),
});
const read = (env: { [name: string]: string }) => readSettings("the app", schema, { HUB_NAME: "x", ...env });

test("an empty setting is as good as none", () => {
  expect(read({ HUB_PORT: "", HUB_LEVEL: "" })).toMatchObject({ HUB_PORT: 1, HUB_LEVEL: "low" });
  expect(() => read({ HUB_NAME: "" })).toThrow(
    new BadSetting("A setting of the app can't be used: HUB_NAME is not set."),
  );
});

test.each([
  ["HUB_PORT", "seven", "must be a whole number from 0 to 65535"],
  ["HUB_PORT", "NaN", "must be a whole number from 0 to 65535"],
  ["HUB_PORT", "1.5", "must be a whole number"],
  ["HUB_PORT", "-1", "must be at least 0"],
  ["HUB_PORT", "65536", "must be at most 65535"],
  ["HUB_PORT", "1e99", "must be a"],
  ["HUB_HOURS", "0", "must be more than 0"],
  ["HUB_HOURS", "Infinity", "must be a number"],
  ["HUB_LEVEL", "loud", "must be one of low, high"],
  ["HUB_SECRET", "short", "must have at least 16 characters"],
  ["HUB_NATS", "nats://a,", "must be like nats://127.0.0.1:4222"],
  ["HUB_NATS", "nats://a:99999", "must be like nats://127.0.0.1:4222"],
])("%s=%s: it %s", (name, value, problem) => {
  expect(() => read({ [name]: value })).toThrow(`A setting of the app can't be used: ${name} ${problem}`);
});
