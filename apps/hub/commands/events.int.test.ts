import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeCommit, encodeEntry, hashCommit, type Lane } from "@connect-hub/domain/kernel";
import { connectNats, type NatsLink, openLane, provisionLanes } from "@connect-hub/jetstream";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { writeConnections } from "../box/connections.ts";
import { runCli } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";

const dataDir = mkdtempSync(join(tmpdir(), "connect-hub-events-"));
const prefix = `t${randomBytes(6).toString("hex")}-`;
let link: NatsLink;
let lane: Lane;
let prevHash = "";

beforeAll(async () => {
  link = await connectNats({ url: inject("natsUrl"), name: "hub events test" });
  await provisionLanes(link, {
    prefix,
    lanes: ["accounts.0", "rooms.0", "content.0"],
    replicas: 1,
    maxBytes: 1024 * 1024,
  });
  lane = await openLane(link, { prefix, id: "rooms.0" });
  mkdirSync(join(dataDir, "run"));
  writeConnections(dataDir, {
    natsUrl: inject("natsUrl"),
    natsLogins: {},
    authUrl: "postgres://someone:hidden@127.0.0.1:1/hub",
    chatUrl: "postgres://someone:hidden@127.0.0.1:1/hub",
    contentUrl: "postgres://someone:hidden@127.0.0.1:1/hub",
    vaultUrl: "postgres://someone:hidden@127.0.0.1:1/hub",
    vaultRoot: "/somewhere/vault-root",
    valkeyUrl: "redis://127.0.0.1:1",
    prefix,
    roomLanes: 1,
    laneBytes: 1024 * 1024,
    host: "127.0.0.1",
    port: 1,
    content: { dir: "/data/content", bytes: null, reserveBytes: null },
    placement: { url: "http://127.0.0.1:1", secret: "s", key: "/data/secrets/key", publicKey: "ssh-ed25519 A" },
  });
  for (let n = 1; n <= 12; n++) await append(n);
});
afterAll(async () => {
  await link.close();
  rmSync(dataDir, { recursive: true });
});
afterEach(() => void vi.restoreAllMocks());

async function append(n: number, bytes = commitBytes(n)): Promise<void> {
  expect(await lane.append(bytes, n - 1)).toBe("stored");
  prevHash = hashCommit(bytes);
}

function commitBytes(n: number): Uint8Array {
  const event = {
    type: "RoomRenamed.v1",
    subject: { kind: "room" as const, id: "r" },
    s: n,
    by: "a",
    salt: "AA",
    data: { name: `room ${n}` },
  };
  const entry = encodeEntry({
    key: { actor: "a", id: `${n}` },
    kind: "renameRoom",
    digest: "0".repeat(64),
    result: null,
    events: [event],
  });
  const at = new Date(1_700_000_000_000 + n).toISOString();
  return encodeCommit({ lane: "rooms.0", epoch: lane.epoch, n, term: 1, writer: "w", prevHash, at }, [entry]);
}

/** Runs `hub`, and gives what it said and its exit code. */
async function hub(...args: string[]) {
  const said: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void said.push(text));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
  const code = await runCli(["--data", dataDir, ...args], {});
  return { code, said };
}

test("tail prints the newest events of each lane", async () => {
  const { code, said } = await hub("events", "tail", "--no-follow");
  expect(code).toBe(exitCodes.done);
  expect(said.length).toBe(10);
  expect(said[0]).toBe('2023-11-14T22:13:20.003Z  rooms.0 3  RoomRenamed.v1  room r #3  by a  {"name":"room 3"}');
});

test("tail starts where it is told, and speaks JSON", async () => {
  const { said } = await hub("events", "tail", "--no-follow", "--json", "--lane", "rooms.0", "--from", "11");
  expect(said.map((line) => JSON.parse(line))).toMatchObject([
    { lane: "rooms.0", n: 11, type: "RoomRenamed.v1", s: 11, by: "a", data: { name: "room 11" } },
    { lane: "rooms.0", n: 12, subject: { kind: "room", id: "r" } },
  ]);
});

test("a lane that is none and a number that is none are usage errors", async () => {
  expect((await hub("events", "tail", "--lane", "rooms.7")).code).toBe(exitCodes.badSettingOrUsage);
  expect((await hub("events", "tail", "--from", "0")).code).toBe(exitCodes.badSettingOrUsage);
});

test("tail and export give what names a room, an account, a type, between two instants", async () => {
  const instant = (n: number) => new Date(1_700_000_000_000 + n).toISOString();
  const tail = async (...args: string[]) => {
    const { code, said } = await hub("events", "tail", "--no-follow", "--json", ...args);
    expect(code).toBe(exitCodes.done);
    return said.map((line): number => JSON.parse(line).n);
  };
  expect((await tail("--room", "r")).length).toBe(12);
  expect(await tail("--room", "a")).toEqual(await tail("--account", "a"));
  expect((await tail("--type", "RoomRenamed")).length).toBe(12);
  expect((await tail("--type", "RoomCreated,RoomRenamed.v1", "--account", "a")).length).toBe(12);
  expect(await tail("--type", "RoomCreated")).toEqual([]);
  expect(await tail("--since", instant(4), "--until", instant(6))).toEqual([4, 5, 6]);
  expect(await tail("--room", "r", "--since", instant(11))).toEqual([11, 12]);
  const file = join(dataDir, "events.jsonl");
  const exported = await hub("events", "export", file, "--until", instant(5), "--json");
  expect(JSON.parse(exported.said[0] ?? "")).toMatchObject({ events: 5 });
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).n)).toEqual([1, 2, 3, 4, 5]);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    entry: 0,
    event: 0,
    type: "RoomRenamed.v1",
    data: { name: "room 1" },
  });
});

test("what can't be a filter, and a file that can't be written, are said clearly and leave nothing", async () => {
  for (const args of [
    ["--since", "yesterday"],
    ["--type", "room renamed"],
    ["--room", "a b"],
  ]) {
    expect((await hub("events", "tail", ...args)).code).toBe(exitCodes.badSettingOrUsage);
  }
  const missing = await hub("events", "export", join(dataDir, "none", "events.jsonl"));
  expect(missing.code).toBe(exitCodes.failed);
  expect(missing.said[0]).toContain("its folder does not exist: make it first. Nothing is left of it.");
  mkdirSync(join(dataDir, "taken"));
  expect((await hub("events", "export", join(dataDir, "taken"))).said[0]).toContain("that is a folder");
  expect(readdirSync(dataDir).filter((name) => name.includes("partial"))).toEqual([]);
});

test("what is not on the log is no empty answer", async () => {
  const file = join(dataDir, "nobody.jsonl");
  for (const [kind, id] of [
    ["room", "q"],
    ["account", "z"],
  ] as const) {
    const what = `No event of accounts.0, rooms.0, content.0 names the ${kind} ${id}.\n`;
    const refused = { code: exitCodes.failed, said: [what] };
    expect(await hub("events", "export", file, `--${kind}`, id)).toEqual(refused);
    expect(await hub("events", "tail", "--no-follow", `--${kind}`, id)).toEqual(refused);
  }
  expect(existsSync(file)).toBe(false);
  // Of a room that there is, nothing is an answer.
  expect((await hub("events", "export", file, "--room", "r", "--type", "RoomCreated")).said).toEqual([
    `0 events are in ${file}.`,
  ]);
  expect(readFileSync(file, "utf8")).toBe("");
});

test("what is beyond the head, or between no two instants, is bad usage", async () => {
  const refused = async (...args: string[]) => {
    const { code, said } = await hub("events", ...args);
    expect(code).toBe(exitCodes.badSettingOrUsage);
    return said.join("");
  };
  expect(await refused("tail", "--from", "14", "--lane", "rooms.0")).toContain("the last one of rooms.0 is 12.");
  expect((await hub("events", "tail", "--no-follow", "--from", "13")).code).toBe(exitCodes.done);
  expect(await refused("tail", "--since", "2026-01-02", "--until", "2026-01-01")).toContain("--since is after --until");
});

test("show prints one commit, and says where the log ends", async () => {
  const { said } = await hub("events", "show", "rooms.0:12");
  expect(said[0]).toContain(`hash   ${prevHash}`);
  expect(said[0]).toContain("entry 0: renameRoom by a, key 12");
  const { said: asJson } = await hub("events", "show", "rooms.0:12", "--json");
  expect(JSON.parse(asJson[0] ?? "")).toMatchObject({
    hash: prevHash,
    commit: { n: 12, entries: [{ kind: "renameRoom" }] },
  });
  const beyond = await hub("events", "show", "rooms.0:13");
  expect(beyond).toMatchObject({
    code: exitCodes.badSettingOrUsage,
    said: ["rooms.0 has no commit 13: its last one is 12.\n"],
  });
  expect((await hub("events", "show", "accounts.0:1")).said[0]).toContain("it is empty");
  expect((await hub("events", "show", "rooms.3:1")).said[0]).toContain('There is no lane "rooms.3", only accounts.0');
  expect((await hub("events", "show", "rooms.0")).said[0]).toContain("Write it like rooms.0:42");
});

test("verify reads the whole log, and finds what does not belong in it", async () => {
  const whole = await hub("events", "verify", "--json");
  expect(whole.code).toBe(exitCodes.done);
  expect(JSON.parse(whole.said[0] ?? "")).toMatchObject([
    { lane: "accounts.0", commits: 0, events: 0 },
    { lane: "rooms.0", commits: 12, events: 12, head: prevHash },
    { lane: "content.0", commits: 0, events: 0 },
  ]);
  prevHash = "f".repeat(64);
  await append(13);
  const broken = await hub("events", "verify");
  expect(broken.code).toBe(exitCodes.failed);
  expect(broken.said[0]).toContain("commit 13: it does not follow the commit before it");
});

test("paths names folders, files and schemas, and no password", async () => {
  const { code, said } = await hub("paths", "--json");
  expect(code).toBe(exitCodes.done);
  const places = JSON.parse(said[0] ?? "");
  expect(places).toContainEqual({ what: "logs of servers and apps", kind: "folder", where: join(dataDir, "logs") });
  expect(places.map(({ where }: { where: string }) => where)).toContain("/somewhere/vault-root");
  expect(said[0]).toContain("chat in postgres://someone@127.0.0.1:1/hub");
  expect(said[0]).not.toContain("hidden");
});
