import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "./ask.ts";
import { type DataFolder, openDataFolder } from "./dataFolder.ts";
import { natsLogins, reloadNats } from "./nats.ts";
import { forgetServiceLogin, type NatsService, serviceLogin, writeServices } from "./natsServices.ts";
import { type RunningServer, startServer } from "./startServer.ts";
import { waitFor } from "./waitFor.ts";

const reader: NatsService = { name: "reader", contexts: ["rooms"] };
const filtered: NatsService = { name: "filtered", contexts: null };
let folder: DataFolder;
let nats: RunningServer;

beforeAll(async () => {
  folder = openDataFolder(mkdtempSync(join(tmpdir(), "connect-hub-services-")));
  nats = await startServer("nats", { dataDir: folder.path });
});

afterAll(async () => {
  await nats.close();
  rmSync(folder.path, { recursive: true, force: true });
});

interface Login {
  readonly user: string;
  readonly password: string;
}

/** Speaks the client protocol, and returns all that the server said until `isOver`. */
function say({ user, password }: Login, lines: readonly string[], isOver: (answer: string) => boolean) {
  const [host = "", port = ""] = nats.address.split(":");
  const greeting = JSON.stringify({ verbose: false, headers: true, no_responders: true, user, pass: password });
  return ask({ host, port: Number(port) }, [`CONNECT ${greeting}`, ...lines, ""].join("\r\n"), isOver);
}

const secondPong = (answer: string) => answer.split("PONG\r\n").length > 2 || answer.includes("Authorization");
const mayPublish = async (login: Login, subject: string) =>
  !(await say(login, ["PING", `PUB ${subject} 2\r\n{}`, "PING"], secondPong)).includes("Permissions Violation");
const mayListen = async (login: Login, subject: string) =>
  !(await say(login, ["PING", `SUB ${subject} 1`, "PING"], secondPong)).includes("Permissions Violation");
const isLetIn = async (login: Login) =>
  !(await say(login, ["PING"], (answer) => /PONG|Authorization/.test(answer))).includes("Authorization Violation");

/** One request to JetStream and its answer. */
async function request(login: Login, inbox: string, subject: string, body: object): Promise<string> {
  const text = JSON.stringify(body);
  const answered = (answer: string) => /\r\nMSG .*\r\n.*\r\n/.test(answer) || answer.includes("-ERR");
  return say(login, [`SUB ${inbox}.> 1`, `PUB ${subject} ${inbox}.x ${text.length}\r\n${text}`], answered);
}

test("services come and go without a restart, and the connections of apps stay", async () => {
  const pid = nats.process?.pid;
  const [host = "", port = ""] = nats.address.split(":");
  const edge = natsLogins(folder).edge;
  const app: Socket = connect({ host, port: Number(port) });
  let heard = "";
  app.on("data", (bytes: Buffer) => {
    heard += bytes.toString();
  });
  app.write(`CONNECT ${JSON.stringify({ verbose: false, user: edge.user, pass: edge.password })}\r\nPING\r\n`);
  await waitFor(() => heard.includes("PONG"), { timeoutMs: 5_000 });

  expect(await isLetIn(serviceLogin(folder, reader))).toBe(false);
  writeServices(folder, [reader, filtered]);
  expect(reloadNats(folder)).toBe(true);
  for (const service of [reader, filtered])
    expect(await waitFor(() => isLetIn(serviceLogin(folder, service)), { timeoutMs: 5_000 })).toBe(true);
  expect(statSync(join(folder.path, "nats/nats.conf")).mode & 0o777).toBe(0o600);

  const former = serviceLogin(folder, filtered);
  writeServices(folder, [reader]);
  reloadNats(folder);
  expect(await waitFor(async () => !(await isLetIn(former)), { timeoutMs: 5_000 })).toBe(true);
  forgetServiceLogin(folder, filtered.name);
  expect(serviceLogin(folder, filtered).password).not.toBe(former.password);
  writeServices(folder, [reader, filtered]);
  reloadNats(folder);
  await waitFor(() => isLetIn(serviceLogin(folder, filtered)), { timeoutMs: 5_000 });

  heard = "";
  app.write("PING\r\n");
  expect(await waitFor(() => heard.includes("PONG"), { timeoutMs: 5_000 })).toBe(true);
  expect(heard).not.toContain("-ERR");
  app.destroy();
  expect(nats.process?.pid).toBe(pid);
});

describe("a service", () => {
  // Subject, whether one with the context of rooms may publish there, and whether one behind the door may.
  test.each([
    ["$JS.API.CONSUMER.CREATE.LOG_rooms_0_01234567.mine.log.rooms.0.01234567", true, false],
    ["$JS.API.CONSUMER.CREATE.LOG_accounts_0_01234567.mine.log.accounts.0.01234567", false, false],
    ["$JS.API.CONSUMER.CREATE.LOG_rooms_0_01234567.mine", false, false],
    ["$JS.API.CONSUMER.CREATE.LOG_rooms_0_01234567", false, false],
    ["$JS.API.CONSUMER.DURABLE.CREATE.LOG_rooms_0_01234567.mine", false, false],
    ["$JS.API.STREAM.MSG.GET.LOG_rooms_0_01234567", false, false],
    ["$JS.API.STREAM.MSG.GET.KV_lanes", true, false],
    ["$JS.API.STREAM.DELETE.KV_service_reader", false, false],
    ["$JS.API.STREAM.NAMES", false, false],
    ["$JS.API.CONSUMER.LIST.LOG_rooms_0_01234567", false, false],
    ["$KV.service_reader.at.x", true, false],
    ["$KV.service_filtered.at.x", false, false],
    ["$KV.services.reader", false, false],
    ["$KV.lanes.rooms.0", false, false],
    ["door.filtered.hello", false, true],
    ["door.reader.hello", false, false],
    ["log.rooms.0.01234567", false, false],
    ["cmd.rooms.0.writer", false, false],
    ["sys.reader.rooms.0.writer", false, false],
    ["live.room.x", false, false],
    ["_INBOX_svc.reader.x", false, false],
    ["_INBOX_edge.x", false, false],
  ] as const)("publishing to %s", async (subject, direct, behind) => {
    expect(await mayPublish(serviceLogin(folder, reader), subject)).toBe(direct);
    expect(await mayPublish(serviceLogin(folder, filtered), subject)).toBe(behind);
  });

  test("hears its own inbox and nothing else", async () => {
    const login = serviceLogin(folder, reader);
    expect(await mayListen(login, "_INBOX_svc.reader.>")).toBe(true);
    for (const subject of ["_INBOX_svc.>", "_INBOX_svc.filtered.>", "log.rooms.>", "live.>", "beat.>", "door.>", ">"])
      expect(await mayListen(login, subject), subject).toBe(false);
  });

  test("reads the context it has, by whatever stream, and no other by any trick", async () => {
    const hub = natsLogins(folder).hub;
    for (const [context, subject] of [
      ["rooms", "log.rooms.0.aa"],
      ["accounts", "log.accounts.0.aa"],
    ] as const) {
      const config = { name: `LOG_${context}_0_aa`, subjects: [subject], storage: "memory" };
      expect(await request(hub, "_INBOX_hub", `$JS.API.STREAM.CREATE.${config.name}`, config)).toContain('"created"');
      const append = await request(natsLogins(folder).commands, "_INBOX_commands", subject, {});
      expect(append).toContain('"seq":1');
    }
    const login = serviceLogin(folder, reader);
    const make = (stream: string, asked: string, config: object) =>
      request(login, "_INBOX_svc.reader", `$JS.API.CONSUMER.CREATE.${stream}.c1.${asked}`, {
        stream_name: stream,
        config: { name: "c1", ack_policy: "none", deliver_policy: "all", inactive_threshold: 5e9, ...config },
      });
    const own = "log.rooms.0.aa";
    expect(await make("LOG_rooms_0_aa", own, { filter_subject: own })).toContain('"num_pending":1');
    // The subject of the request names a right, its body something else.
    for (const config of [{}, { filter_subject: "log.accounts.0.aa" }, { filter_subjects: ["log.accounts.0.aa"] }])
      expect(await make("LOG_accounts_0_aa", own, config)).toContain('"error"');
    expect(await make("LOG_accounts_0_aa", own, { filter_subject: own })).toMatch(/"error"|"num_pending":0/);
  });
});
