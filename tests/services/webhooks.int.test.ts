import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DomainEvent, Lane } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, memoryVault } from "@connect-hub/domain/testing";
import { connectNats, type NatsLink, openLane, provisionLanes, serviceRegistry } from "@connect-hub/jetstream";
import { isSignedBy, readWebhooksConfig, retryDead, startWebhooks, type WebhooksConfig } from "@connect-hub/webhooks";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { memoryDoor } from "../support/memoryDoor.ts";

const prefix = `t${randomBytes(6).toString("hex")}-`;
const folder = mkdtempSync(join(tmpdir(), "connect-hub-webhooks-"));
const secret = "a secret that both sides have";
const within = { timeout: 15_000, interval: 10 };
let link: NatsLink;
let door: { close(): Promise<void> };
let lane: Lane;
let log: LogBuilder;
let n = 0;

beforeAll(async () => {
  link = await connectNats({ url: inject("natsUrl"), name: "webhooks test" });
  await provisionLanes(link, { prefix, lanes: ["rooms.0"], replicas: 1, maxBytes: 16 * 1024 ** 2 });
  lane = await openLane(link, { prefix, id: "rooms.0" });
  const vault = memoryVault();
  log = new LogBuilder({ lane: "rooms.0", epoch: lane.epoch, model: roomModel, vault });
  const rights = { contexts: ["rooms"], types: null, rooms: null, addedAt: "2026-01-01T00:00:00.000Z" };
  await serviceRegistry(link, prefix).write("hooks", JSON.stringify(rights), 1);
  door = await memoryDoor({ url: inject("natsUrl"), prefix, vault });
});
afterAll(async () => {
  await door.close();
  await link.close();
  rmSync(folder, { recursive: true });
});

/** What a receiver was sent. */
interface Received {
  readonly id: string;
  readonly room: string;
  readonly name: string;
}

/** A receiver over real HTTP; `answer` says with which status, or null for never. */
async function receiver(answer: (got: Received) => number | null, port = 0) {
  const got: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (bytes: Buffer) => {
      body += bytes.toString();
    });
    request.on("end", () => {
      const header = (name: string) => String(request.headers[name]);
      const signed = { id: header("webhook-id"), timestamp: Number(header("webhook-timestamp")), body };
      const isGenuine = isSignedBy(signed, header("webhook-signature"), secret);
      const { subject, data, id } = JSON.parse(body);
      const one = { id, room: subject.id, name: data.name };
      const status = isGenuine && id === signed.id ? answer(one) : 401;
      if (status === null) return;
      if (status < 300) got.push(one);
      response.writeHead(status).end();
    });
  }).listen(port, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port: taken } = server.address() as AddressInfo;
  return {
    got,
    port: taken,
    url: `http://127.0.0.1:${taken}/hook`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function config(url: string, durable: string, more: Readonly<Record<string, string>> = {}): WebhooksConfig {
  return readWebhooksConfig({
    HUB_NATS_URL: inject("natsUrl"),
    HUB_NATS_USER: "svc-hooks",
    HUB_NATS_PASSWORD: "x",
    HUB_PREFIX: prefix,
    HUB_LOG_LEVEL: "silent",
    WEBHOOKS_URL: url,
    WEBHOOKS_SECRET: secret,
    WEBHOOKS_TYPES: "RoomRenamed",
    WEBHOOKS_DURABLE: durable,
    WEBHOOKS_DEAD_LETTERS: join(folder, `${durable}.jsonl`),
    WEBHOOKS_TIMEOUT_MS: "300",
    WEBHOOKS_ATTEMPTS: "4",
    WEBHOOKS_BACK_OFF_MS: "10",
    ...more,
  });
}

async function rename(...names: readonly (readonly [room: string, name: string])[]): Promise<void> {
  const events = names.map(
    ([room, name]): DomainEvent => ({
      type: "RoomRenamed.v1",
      subject: { kind: "room", id: room },
      s: 1,
      by: "ada",
      data: { name },
    }),
  );
  expect(await lane.append(await log.commit(events.map((event) => [event])), n)).toBe("stored");
  n += 1;
}

const namesOf = (got: readonly Received[], room: string) =>
  got.filter((one) => one.room === room).map(({ name }) => name);
const lettersOf = (durable: string): object[] =>
  readFileSync(join(folder, `${durable}.jsonl`), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

test("events are signed, and come in order through a receiver that fails, is slow, and dies", async () => {
  const tries = new Map<string, number>();
  const moods = [500, null, 429, 200];
  const first = await receiver(({ id }) => {
    const attempt = tries.get(id) ?? 0;
    tries.set(id, attempt + 1);
    return attempt < moods.length ? (moods[attempt] ?? null) : 200;
  });
  const hooks = await startWebhooks(config(first.url, "moody", { WEBHOOKS_ATTEMPTS: "1000" }));
  await rename(["a", "one"], ["b", "one"]);
  await rename(["a", "two"]);
  await vi.waitFor(() => expect(first.got).toHaveLength(3), within);
  expect(namesOf(first.got, "a")).toEqual(["one", "two"]);
  expect([...tries.values()]).toEqual([4, 4, 4]);
  await first.close();
  await rename(["a", "three"]);
  const second = await receiver(() => 204, first.port);
  await vi.waitFor(() => expect(second.got).toMatchObject([{ room: "a", name: "three" }]), within);
  await hooks.close();
  await second.close();
});

test("what is refused is a dead letter; its room waits, others go on, and --retry-dead sends it in order", async () => {
  let refusing = true;
  const there = await receiver(({ room }) => (refusing && room === "c" ? 400 : 200));
  const settings = config(there.url, "refused");
  const hooks = await startWebhooks(settings);
  await rename(["c", "one"], ["d", "one"]);
  await rename(["c", "two"], ["d", "two"]);
  await vi.waitFor(() => expect(namesOf(there.got, "d")).toEqual(["one", "two"]), within);
  await vi.waitFor(() => expect(lettersOf("refused")).toHaveLength(1), within);
  // A 4xx is not tried again by itself.
  expect(lettersOf("refused")[0]).toMatchObject({
    dead: {
      subject: { id: "c" },
      attempts: 1,
      reason: "The receiver answered 400.",
      event: { type: "RoomRenamed.v1" },
    },
  });
  await hooks.close();
  expect(await retryDead(settings)).toEqual({ delivered: 0, stillDead: 1 });
  refusing = false;
  expect(await retryDead(settings)).toEqual({ delivered: 1, stillDead: 0 });
  expect(namesOf(there.got, "c")).toEqual(["one", "two"]);
  expect(lettersOf("refused").at(-1)).toMatchObject({ subject: { kind: "room", id: "c" } });
  await there.close();
});

test("a setting that is none is named", () => {
  expect(() => readWebhooksConfig({})).toThrow(/HUB_NATS_USER.*WEBHOOKS_URL.*WEBHOOKS_SECRET/);
  expect(() => config("ftp://somewhere", "x")).toThrow("WEBHOOKS_URL must be an address like https://example.org/hook");
  expect(() => config("http://a", "x", { HUB_NATS_URL: "nats://:" })).toThrow("HUB_NATS_URL must be like nats://");
  expect(() => config("http://a", "x", { WEBHOOKS_ATTEMPTS: "0" })).toThrow("WEBHOOKS_ATTEMPTS must be at least 1");
});

test.each([
  ["a port that nothing is sent to", "WEBHOOKS_URL", { WEBHOOKS_URL: "http://127.0.0.1:1/hook" }],
  ["a password in the address", "WEBHOOKS_URL", { WEBHOOKS_URL: "http://ann:secret@127.0.0.1:8080/hook" }],
  ["a type that there is not", "WEBHOOKS_TYPES", { WEBHOOKS_TYPES: "RoomPainted" }],
  ["a user of nobody", "HUB_NATS_USER", { HUB_NATS_USER: "hub" }],
  ["a folder for the dead letters", "WEBHOOKS_DEAD_LETTERS", { WEBHOOKS_DEAD_LETTERS: folder }],
])("%s is a bad setting before anything is sent", async (_, name, more) => {
  const refused = startWebhooks(config("http://127.0.0.1:8080/hook", "bad", more));
  await expect(refused).rejects.toThrow(new RegExp(`^A setting of the webhook sender can't be used: ${name} `));
});
