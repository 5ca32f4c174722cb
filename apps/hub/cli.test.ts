import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDataFolder } from "@connect-hub/runtime";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { writeBoxState } from "./box/boxState.ts";
import { writeConnections } from "./box/connections.ts";
import { runCli } from "./cli.ts";
import { exitCodes } from "./exitCodes.ts";

const dataDir = mkdtempSync(join(tmpdir(), "connect-hub-cli-"));
const database = "postgres://someone@127.0.0.1:1/hub";

// A box that ran once, with servers of its own, and was stopped.
beforeAll(() => {
  openDataFolder(dataDir);
  const urls = { authUrl: database, chatUrl: database, contentUrl: database, vaultUrl: database };
  const server = { version: "2.15.1", address: "127.0.0.1:1", dataFolder: null, pid: null, state: null, restarts: 0 };
  writeConnections(dataDir, {
    ...urls,
    ...{ natsUrl: "nats://127.0.0.1:1", natsLogins: {}, valkeyUrl: "redis://127.0.0.1:1", prefix: "", roomLanes: 1 },
    ...{ vaultRoot: "/nowhere", laneBytes: 1, host: "127.0.0.1", port: 1 },
    content: { dir: join(dataDir, "content"), bytes: null, reserveBytes: null },
    placement: { url: "http://127.0.0.1:1", secret: "", key: "", publicKey: "" },
  });
  writeBoxState(dataDir, {
    ...{ phase: "ready", address: "http://127.0.0.1:1", dataFolder: dataDir, processes: [] },
    supervisor: { pid: 2 ** 30, startedAt: "never" },
    servers: [{ kind: "nats", source: "private", ...server }],
  });
});
afterAll(() => rmSync(dataDir, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

/** Runs `hub` in this process: its exit code, and what it wrote to stdout and stderr. */
async function hub(...args: string[]) {
  const [said, complaints]: [string[], string[]] = [[], []];
  vi.spyOn(console, "log").mockImplementation((text: string) => void said.push(text));
  vi.spyOn(process.stdout, "write").mockImplementation((text) => said.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => complaints.push(String(text)) > 0);
  const code = await runCli(["--data", dataDir, ...args], {});
  vi.restoreAllMocks();
  return { code, said: said.join(""), complaints: complaints.join("") };
}

test.each([
  "archive",
  "archive rooms.0",
  "backup /nowhere/backup",
  "digest",
  "digest --at rooms.0:1",
  "digest --fold",
  "events tail",
  "events show rooms.0:1",
  "events export /nowhere/events.jsonl",
  "events verify",
  "events heads",
  "events prove --event rooms.0:1:0:0",
  "files where x",
  "node add cellar --host h --user u --path p",
  "node list",
  "projections list",
  "projections lag",
  "projections parked",
  "projections parked retry",
  "projections verify",
  "projections rebuild",
  "projections progress",
  "projections pause",
  "projections resume",
  "projections cancel",
  "projections swap",
  "projections rollback",
  "projections drop",
  "room show 01968a5e-7c1a-7000-8000-3d2c1b0a9f8e",
  "service add s --types MessagePosted",
  "service list",
  "service remove s",
  "wait-caught-up",
])("a box that is down is told at once: %s", async (command) => {
  const { code, said, complaints } = await hub(...command.split(" "), "--json");
  expect({ code, said }).toEqual({ code: exitCodes.notRunning, said: "" });
  expect(JSON.parse(complaints)).toEqual({
    error: {
      code: "NotRunning",
      message: `The box in ${dataDir} isn't running. Start it by: npm run hub -- --data ${dataDir} up`,
    },
  });
});

test.each([
  [
    ["events", "tail", "--jsno"],
    "unknown option '--jsno'",
    "Did you mean --json?",
    "npm run hub -- events tail --help",
  ],
  [["events", "tial"], "unknown command 'tial'", "Did you mean tail?", "npm run hub -- events --help"],
  [["evnets", "status"], "unknown command 'evnets'", "Did you mean events?", "npm run hub -- --help"],
  [["constructor"], "unknown command 'constructor'", "", "npm run hub -- --help"],
  [["events", "show"], "missing required argument 'place'", "", "npm run hub -- events show --help"],
  [["events", "tail", "--from", "-1"], "a whole number from 1 on", "", "npm run hub -- events tail --help"],
  [["wait-caught-up", "--timeout", "1e300"], "from 0 to 2000000", "", "npm run hub -- wait-caught-up --help"],
  [["events", "verify", "--key", "nonsense"], "a public key is 43 of", "", "events verify --help"],
  [["events", "tail", "--lane", "a", "--lane", "b"], "'--lane <lane>' is there twice", "", "events tail --help"],
])("%j is told in a line or two, with the next step", async (args, ...parts) => {
  const { code, said, complaints } = await hub(...args);
  expect({ code, said }).toEqual({ code: exitCodes.badSettingOrUsage, said: "" });
  for (const part of parts) expect(complaints).toContain(part);
  expect(complaints.trimEnd().split("\n").length).toBeLessThanOrEqual(3);
  const asJson = await hub(...args, "--json");
  expect({ code: asJson.code, said: asJson.said }).toEqual({ code, said: "" });
  expect(JSON.parse(asJson.complaints)).toEqual({
    error: { code: "BadUsage", message: expect.stringContaining(parts[0] ?? "") },
  });
});

test.each([
  [["--type", "MesagePosted"], "there is MessagePosted, "],
  [["--type", "RoomCreated,messageposted"], "there is MessagePosted."],
  [["--type", "MessagePosted.v99"], "there is MessagePosted.v1"],
  [["--type", "Xyz"], "there is only Account"],
  [["--since", "2026-02-31"], "an instant is a date"],
  [["--until", "2026-11-23T10:00"], "with its zone"],
])("no events can be like %j", async (args, what) => {
  const { code, complaints } = await hub("events", "export", join(dataDir, "events.jsonl"), ...args);
  expect(code).toBe(exitCodes.badSettingOrUsage);
  expect(complaints).toContain(what);
});
