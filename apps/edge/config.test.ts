import { BadSetting } from "@connect-hub/runtime/settings";
import { expect, test } from "vitest";
import { readEdgeConfig } from "./config.ts";

const least = {
  HUB_AUTH_URL: "postgres://a",
  HUB_CHAT_URL: "postgres://c",
  HUB_CONTENT_URL: "postgres://f",
  HUB_VAULT_URL: "postgres://v",
  HUB_VAULT_ROOT: "/tmp/root",
};

test("what is not set has the value of one box", () => {
  expect(readEdgeConfig(least)).toMatchObject({
    HUB_HOST: "127.0.0.1",
    HUB_PORT: 7_750,
    HUB_ALLOWED_ORIGINS: [],
    HUB_ATTEMPTS_PER_MINUTE: 120,
    HUB_WAITING_SIGN_INS: 1_000,
    HUB_REQUESTS_PER_SECOND: 100,
    HUB_ADDRESS_REQUESTS_PER_SECOND: 5_000,
  });
});

test.each(Object.keys(least))("without %s it can't start, and says so", (name) => {
  const { [name as keyof typeof least]: _, ...rest } = least;
  expect(() => readEdgeConfig(rest)).toThrow(BadSetting);
  expect(() => readEdgeConfig(rest)).toThrow(name);
});

test.each([
  ["HUB_PORT", "seven"],
  ["HUB_PORT", "70000"],
  ["HUB_LOG_LEVEL", "loud"],
  ["HUB_ATTEMPTS_PER_MINUTE", "0"],
  ["HUB_WAITING_SIGN_INS", "-1"],
  ["HUB_REQUESTS_PER_SECOND", "0.5"],
  ["HUB_ADDRESS_REQUESTS_PER_SECOND", "0"],
  ["HUB_TRUSTED_PROXIES", "0.0.0.0/0"],
  ["HUB_ALLOWED_ORIGINS", "https://chat.example/"],
  ["HUB_METRICS_PORT", "0"],
  ["HUB_METRICS_PORT", "65536"],
])("%s=%s has no meaning, and the message names it", (name, value) => {
  expect(() => readEdgeConfig({ ...least, [name]: value })).toThrow(name);
});

test("half a certificate is no setting", () => {
  expect(() => readEdgeConfig({ ...least, HUB_TLS_CERT: "a" })).toThrow(/HUB_TLS_KEY is not: set both/);
  expect(readEdgeConfig({ ...least, HUB_TLS_CERT: "a", HUB_TLS_KEY: "b" })).toMatchObject({ HUB_TLS_KEY: "b" });
});
