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
  // Subject, whether one with the context of rooms may publish there, and whether one that an older version let in by types may.
  test.each([
    ["door.reader.lanes", true, false],
    ["door.reader.state.put", true, false],
    ["door.reader.rooms.0.next", true, false],
    ["door.reader.accounts.0.next", false, false],
    ["door.reader.rooms", false, false],
    ["door.filtered.lanes", false, true],
    ["door.filtered.state.put", false, true],
    ["door.filtered.accounts.0.head", false, true],
    ["$JS.API.CONSUMER.CREATE.LOG_rooms_0_01234567.mine.log.rooms.0.01234567", false, false],
    ["$JS.API.CONSUMER.MSG.NEXT.LOG_rooms_0_01234567.mine", false, false],
    ["$JS.API.STREAM.INFO.KV_service_reader", false, false],
    ["$JS.API.STREAM.MSG.GET.KV_lanes", false, false],
    ["$KV.service_reader.at.x", false, false],
    ["$KV.services.reader", false, false],
    ["log.rooms.0.01234567", false, false],
    ["cmd.rooms.0.writer", false, false],
    ["sys.reader.rooms.0.writer", false, false],
    ["live.room.x", false, false],
    ["_INBOX_svc.reader.x", false, false],
    ["_INBOX_edge.x", false, false],
  ] as const)("publishing to %s", async (subject, own, former) => {
    expect(await mayPublish(serviceLogin(folder, reader), subject)).toBe(own);
    expect(await mayPublish(serviceLogin(folder, filtered), subject)).toBe(former);
  });

  test("hears its own inbox and nothing else", async () => {
    const login = serviceLogin(folder, reader);
    expect(await mayListen(login, "_INBOX_svc.reader.>")).toBe(true);
    for (const subject of ["_INBOX_svc.>", "_INBOX_svc.filtered.>", "log.rooms.>", "live.>", "beat.>", "door.>", ">"])
      expect(await mayListen(login, subject), subject).toBe(false);
  });
});
