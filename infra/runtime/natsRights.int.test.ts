import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "./ask.ts";
import { openDataFolder } from "./dataFolder.ts";
import { type NatsUser, natsConfiguration, natsLogins } from "./nats.ts";
import { type RunningServer, startServer } from "./startServer.ts";

let dataDir: string;
let nats: RunningServer;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "connect-hub-rights-"));
  nats = await startServer("nats", { dataDir });
});

afterAll(async () => {
  await nats.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Speaks the client protocol, and returns all that the server said by the answer to a last PING. */
function say(user: NatsUser | undefined, ...lines: readonly string[]): Promise<string> {
  const login = user === undefined ? {} : { user, pass: natsLogins(openDataFolder(dataDir))[user].password };
  const connect = JSON.stringify({ verbose: false, pedantic: false, headers: true, ...login });
  const [host = "", port = ""] = nats.address.split(":");
  const text = [`CONNECT ${connect}`, "PING", ...lines, "PING", ""].join("\r\n");
  const isOver = (answer: string) => answer.split("PONG\r\n").length > 2 || answer.includes("Authorization Violation");
  return ask({ host, port: Number(port) }, text, isOver);
}

function publish(subject: string, reply = ""): string {
  return `PUB ${subject} ${reply} 2\r\n{}`;
}

const bare = /Permissions Violation/;

test("nobody without a name gets in", async () => {
  expect(await say(undefined)).toContain("Authorization Violation");
});

const all = ["hub", "edge", "commands", "projector", "placement", "door"] as const;

/** Who may publish what; everyone else may not. */
const rights: readonly (readonly [subject: string, allowed: readonly NatsUser[]])[] = [
  ["cmd.rooms.0.writer", ["edge"]],
  ["sys.placement.content.0.writer", ["placement"]],
  ["sys.placement.rooms.0.writer", []],
  ["sys.operator.content.0.writer", ["hub"]],
  ["sys.edge.content.0.writer", []],
  ["sys.system.content.0.writer", ["commands"]],
  ["instances.commands", ["commands"]],
  ["edge.lease.edge-1", ["edge"]],
  ["edge.revoke", ["edge"]],
  ["edge.confirm.edge-1", ["edge"]],
  ["log.rooms.0.01234567", ["commands"]],
  ["live.room.x", ["commands"]],
  ["beat.rooms.0", ["commands"]],
  ["head.rooms.0.01234567", ["commands"]],
  ["_INBOX_edge.x", ["commands"]],
  ["_INBOX_commands.x", ["commands"]],
  ["_INBOX_projector.x", []],
  ["_INBOX_placement.x", ["commands"]],
  ["_INBOX_hub.x", ["commands"]],
  ["_INBOX.x", []],
  ["_INBOX_svc.reader.x", ["door"]],
  ["_INBOX_door.x", []],
  ["door.filtered.hello", []],
  ["$KV.services.reader", ["hub"]],
  ["$KV.service_reader.at.x", ["hub", "door"]],
  ["$KV.service_reader.x", ["hub"]],
  ["$KV.services.at.x", ["hub"]],
  ["$KV.lanes.at.x", ["hub"]],
  ["$KV.lanes.rooms.0", ["hub"]],
  ["$KV.lanes.reactor.rooms.0.01234567", ["hub", "commands"]],
  ["$JS.API.STREAM.CREATE.LOG_x", ["hub"]],
  ["$JS.API.STREAM.UPDATE.LOG_x", ["hub"]],
  ["$JS.API.STREAM.DELETE.LOG_x", ["hub"]],
  ["$JS.API.STREAM.PURGE.LOG_x", ["hub"]],
  ["$JS.API.STREAM.MSG.DELETE.LOG_x", ["hub"]],
  ["$JS.API.STREAM.SNAPSHOT.LOG_x", ["hub"]],
  ["$JS.API.STREAM.RESTORE.LOG_x", ["hub"]],
  ["$JS.API.STREAM.INFO.LOG_x", all],
  ["$JS.API.INFO", ["hub"]],
  ["$JS.API.STREAM.NAMES", ["hub"]],
  ["$JS.API.STREAM.LIST", ["hub"]],
  ["$JS.API.STREAM.MSG.GET.LOG_x", all],
  ["$JS.API.DIRECT.GET.KV_lanes.$KV.lanes.rooms.0", ["hub"]],
  ["$JS.API.CONSUMER.CREATE.LOG_x.name", all],
  ["$JS.API.CONSUMER.CREATE.LOG_x.name.log.rooms.0.01234567", ["hub"]],
  ["$JS.API.CONSUMER.DURABLE.CREATE.LOG_x.name", ["hub"]],
  ["$JS.API.CONSUMER.INFO.LOG_x.name", ["hub"]],
  ["$JS.API.CONSUMER.LIST.LOG_x", ["hub"]],
  ["$JS.API.CONSUMER.MSG.NEXT.LOG_x.name", all],
  ["$JS.API.CONSUMER.DELETE.LOG_x.name", all],
  ["$JS.ACK.LOG_x.name.1.1.1.1.1", []],
  ["$JS.FC.LOG_x.name", []],
  ["anything.else", []],
];

describe("publishing", () => {
  test.each(rights)("%s is for %j alone", async (subject, allowed) => {
    for (const user of all) {
      const answer = await say(user, publish(subject));
      expect(bare.test(answer), `${user} was told: ${answer}`).toBe(!allowed.includes(user));
    }
  });
});

/** Who may listen to what. */
const ears: readonly (readonly [subject: string, allowed: readonly NatsUser[]])[] = [
  ["cmd.>", ["commands"]],
  ["sys.>", ["commands"]],
  ["instances.commands", ["commands"]],
  ["edge.>", ["edge"]],
  ["live.>", ["hub", "edge"]],
  ["beat.>", ["hub", "edge", "commands", "placement"]],
  ["_INBOX_edge.>", ["edge"]],
  ["_INBOX_hub.>", ["hub"]],
  ["_INBOX.>", []],
  ["door.>", ["door"]],
  ["_INBOX_svc.reader.>", []],
  ["log.>", []],
  [">", []],
];

describe("listening", () => {
  test.each(ears)("to %s is for %j alone", async (subject, allowed) => {
    for (const user of all) {
      const answer = await say(user, `SUB ${subject} 1`);
      expect(bare.test(answer), `${user} was told: ${answer}`).toBe(!allowed.includes(user));
    }
  });
});

test("hub makes a stream, commands appends to it, the projector reads it back", async () => {
  const config = JSON.stringify({ name: "LOG_rooms_0_0", subjects: ["log.rooms.0.0"], storage: "file" });
  const create = `PUB $JS.API.STREAM.CREATE.LOG_rooms_0_0 _INBOX_hub.1 ${config.length}\r\n${config}`;
  expect(await answerTo("hub", create)).toContain('"name":"LOG_rooms_0_0"');
  expect(await answerTo("commands", "PUB log.rooms.0.0 _INBOX_commands.1 6\r\ncommit")).toContain('"seq":1');
  const get = 'PUB $JS.API.STREAM.MSG.GET.LOG_rooms_0_0 _INBOX_projector.1 9\r\n{"seq":1}';
  expect(await answerTo("projector", get)).toContain(Buffer.from("commit").toString("base64"));
});

/** One request and its answer in one connection. */
function answerTo(user: NatsUser, request: string): Promise<string> {
  const login = { user, pass: natsLogins(openDataFolder(dataDir))[user].password };
  const [host = "", port = ""] = nats.address.split(":");
  const lines = [`CONNECT ${JSON.stringify({ verbose: false, ...login })}`, `SUB _INBOX_${user}.> 1`, request, ""];
  return ask({ host, port: Number(port) }, lines.join("\r\n"), (answer) => /\r\nMSG .*\r\n.*\r\n/.test(answer));
}

test("no password stands in the repository's file, and the generated one is its owner's alone", () => {
  const generated = join(dataDir, "nats/generated.conf");
  expect(statSync(generated).mode & 0o777).toBe(0o600);
  const passwords = all.map((user) => natsLogins(openDataFolder(dataDir))[user].password);
  const text = readFileSync(natsConfiguration, "utf8");
  for (const password of passwords) {
    expect(text).not.toContain(password);
    expect(readFileSync(generated, "utf8")).toContain(password);
  }
});
