import { expect, test } from "vitest";
import { appEnvironment, type Connections } from "./connections.ts";

const login = (user: string) => ({ user, password: `${user}'s password` });

const connections: Connections = {
  natsUrl: "nats://127.0.0.1:1",
  natsLogins: { hub: login("hub"), edge: login("edge"), commands: login("commands"), projector: login("projector") },
  natsReplicas: 1,
  authUrl: "postgresql://a",
  chatUrl: "postgresql://c",
  contentUrl: "postgresql://f",
  vaultUrl: "postgresql://v",
  vaultRoot: "/data/secrets/vault-root",
  signingKey: "/data/secrets/signing-key",
  valkeyUrl: "redis://v",
  prefix: "",
  roomLanes: 1,
  laneBytes: 1,
  archiveDir: "/data/archive",
  host: "127.0.0.1",
  port: 7750,
  tls: null,
  metricsPort: 7755,
  content: { dir: "/data/content", bytes: null, reserveBytes: null },
  placement: { url: "http://127.0.0.1:1", secret: "s", key: "/data/secrets/key", publicKey: "ssh-ed25519 A" },
};

test("an app alone in its process finds its own login under the common names", () => {
  const env = appEnvironment(["projector"], connections, "/data");
  expect(env).toMatchObject({ HUB_NATS_USER: "projector", HUB_CHAT_URL: "postgresql://c", HUB_DATA: "/data" });
  expect(JSON.stringify(env)).not.toMatch(/(hub|edge|commands)'s password/);
});

test("apps that share a process find their logins under names of their own", () => {
  const env = appEnvironment(["edge", "commands"], connections, "/data");
  expect(env).toMatchObject({ HUB_EDGE_NATS_USER: "edge", HUB_COMMANDS_NATS_USER: "commands" });
  expect(env).not.toHaveProperty("HUB_NATS_USER");
});

test("by a URL of one's own the environment's login stays as it is", () => {
  const env = appEnvironment(["edge"], { ...connections, natsLogins: {} }, "/data");
  expect(Object.keys(env).filter((name) => name.includes("NATS_USER"))).toEqual([]);
});

test("the certificate is the box's, whatever the environment of who started it says", () => {
  const tls = { cert: "/c.pem", key: "/k.pem" };
  expect(appEnvironment(["edge"], { ...connections, tls }, "/data")).toMatchObject({
    HUB_TLS_CERT: "/c.pem",
    HUB_TLS_KEY: "/k.pem",
  });
  expect(appEnvironment(["edge"], connections, "/data")).toMatchObject({ HUB_TLS_CERT: "", HUB_TLS_KEY: "" });
});
