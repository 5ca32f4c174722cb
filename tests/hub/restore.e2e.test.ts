import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import { type ContextModel, MemoryTables } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { type Context, contextOf, type LaneId } from "@connect-hub/domain/values";
import { openLane } from "@connect-hub/jetstream";
import { openPool } from "@connect-hub/postgres";
import { foldLane } from "@connect-hub/projections";
import { appArgs, checkout, freePort } from "@connect-hub/runtime";
import { type Client, connect, register, type Session, signIn } from "@connect-hub/sdk";
import { openVault } from "@connect-hub/vault";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { readConnections } from "../../apps/hub/box/connections.ts";
import { exitCodes } from "../../apps/hub/exitCodes.ts";
import { connectAsOperator } from "../../apps/hub/lanes.ts";

const models: { readonly [context in Context]: ContextModel } = {
  accounts: accountModel,
  rooms: roomModel,
  content: contentModel,
};
const password = "correct horse battery";
const file = randomBytes(3 * 1024 * 1024 + 17);
let root: string;
/** Where the first box is reached, before and after it is restored. */
let port: number;
const clients: Client[] = [];

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "connect-hub-restore-"));
  chmodSync(root, 0o711);
  port = await freePort();
});
afterAll(async () => {
  for (const client of clients) client.close();
  await Promise.all(["first", "second"].map((name) => hub(name, "down")));
  rmSync(root, { recursive: true, force: true });
});

/** Runs `hub` on one of this test's boxes. */
function hub(box: string, ...args: readonly string[]) {
  return run(box, args);
}

/** Runs `hub`; with `killAt` it is killed when it says so. */
function run(box: string, args: readonly string[], killAt?: string) {
  const env = {
    ...process.env,
    HUB_PORT: box === "first" ? String(port) : "0",
    HUB_NATS_PORT: "0",
    HUB_POSTGRES_PORT: "0",
    HUB_VALKEY_PORT: "0",
    HUB_PLACEMENT_PORT: "0",
    HUB_METRICS_PORT: "0",
    HUB_ATTEMPTS_PER_MINUTE: "100000",
  };
  const child = spawn(process.execPath, [...appArgs(["hub"]), "--data", join(root, box), ...args], {
    cwd: checkout,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (bytes) => {
    stdout += bytes;
  });
  child.stderr.on("data", (bytes) => {
    stderr += bytes;
    if (killAt !== undefined && stderr.includes(killAt)) child.kill("SIGKILL");
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, stdout, stderr })),
  );
}

async function hubJson(box: string, ...args: readonly string[]) {
  const { code, stdout, stderr } = await hub(box, ...args, "--json");
  expect(code, stderr + stdout).toBe(exitCodes.done);
  return JSON.parse(stdout);
}

async function addressOf(box: string): Promise<string> {
  return (await hubJson(box, "status")).address;
}

interface Talker {
  readonly client: Client;
  readonly told: string[];
  seen(room: string): readonly number[];
}

function talk(url: string, session: Session, cursors: ReturnType<Client["cursors"]> = {}, position?: string): Talker {
  const rooms = new Map<string, number[]>();
  const told: string[] = [];
  const client = connect({
    url,
    token: session.token,
    position: position ?? session.position,
    cursors,
    WebSocket,
    history: 1_000_000,
    onEvents: (room, events) => void rooms.set(room, [...(rooms.get(room) ?? []), ...events.map(({ s }) => s)]),
    onReset(room) {
      rooms.delete(room);
      told.push("reset");
    },
    onState: (state, error) => void told.push(error === undefined ? state : `${state} ${error.name}`),
  });
  clients.push(client);
  return { client, told, seen: (room) => rooms.get(room) ?? [] };
}

async function upload(url: string, session: Session, room: string): Promise<string> {
  const answer = await fetch(`${url}/v1/files?room=${room}&name=plans.bin`, {
    method: "POST",
    headers: { authorization: `Bearer ${session.token}`, "content-type": "application/octet-stream" },
    body: file,
  });
  const { ok } = (await answer.json()) as { ok: { file: string } };
  return ok.file;
}

/** `toEqual` takes 4 s for each MB. */
async function expectDownload(url: string, session: Session, id: string): Promise<void> {
  const answer = await fetch(`${url}/v1/files/${id}`, { headers: { authorization: `Bearer ${session.token}` } });
  expect(file.equals(Buffer.from(await answer.arrayBuffer()))).toBe(true);
}

/** What the tables of a box were at these commits: a fold of its log. */
async function tablesAt(box: string, heads: readonly { readonly lane: LaneId; readonly n: number }[]) {
  const connections = readConnections(join(root, box));
  const pool = openPool(connections.vaultUrl, { name: "test" });
  const link = await connectAsOperator(connections);
  try {
    const vault = await openVault({ db: pool, rootFile: connections.vaultRoot });
    const digests: Record<string, string> = {};
    for (const { lane: id, n } of heads) {
      const model = models[contextOf(id)];
      const tables = new MemoryTables(model.tables);
      await foldLane(tables, { lane: await openLane(link, { prefix: "", id }), model, vault, to: n });
      const found = tables.digests();
      for (const { name, schema } of model.tables) digests[`${schema}.${name}`] = found[name] ?? "";
    }
    return digests;
  } finally {
    await Promise.all([pool.end(), link.close()]);
  }
}

async function digestsOf(box: string) {
  const { tables } = await hubJson(box, "digest");
  return Object.fromEntries(tables.map(({ table, digest }: { table: string; digest: string }) => [table, digest]));
}

async function expectWhole(box: string): Promise<void> {
  const verdicts = await hubJson(box, "events", "verify", "--restored");
  expect(verdicts.filter(({ fault }: { fault?: object }) => fault !== undefined)).toEqual([]);
}

const upTo = (s: number) => Array.from({ length: s }, (_, at) => at + 1);

test("a backup that is taken while people talk is the box as it was, on an empty folder and in place", async () => {
  expect((await hub("first", "backup", join(root, "never"))).code).toBe(exitCodes.notRunning);
  expect(existsSync(join(root, "never"))).toBe(false);
  expect(await hub("first", "up")).toMatchObject({ code: exitCodes.done });
  const url = `http://127.0.0.1:${port}`;
  const people: { email: string; session: Session }[] = [];
  for (const name of ["ada", "bob"]) {
    const email = `${name}@example.org`;
    await register({ url, email, password, name });
    people.push({ email, session: await signIn({ url, email, password }) });
  }
  const [ada, bob] = people as [(typeof people)[0], (typeof people)[0]];
  const a = talk(url, ada.session);
  const b = talk(url, bob.session);
  const { room } = await a.client.command("createRoom", { name: "Engine" });
  await a.client.command("addMember", { room, user: bob.session.user });
  const id = await upload(url, ada.session, room);
  await a.client.command("postMessage", { room, text: "the plans", files: [id] });
  await expect.poll(async () => (await hubJson("first", "projections", "lag")).length, { timeout: 20_000 }).toBe(3);

  let isTalking = true;
  const talking = [a, b].map(async ({ client }, who) => {
    for (let n = 0; isTalking; n++) await client.command("postMessage", { room, text: `${who} says ${n}` });
  });
  const dir = join(root, "backup");
  const taken = await hubJson("first", "backup", dir);
  isTalking = false;
  await Promise.all(talking);
  expect(existsSync(`${dir}.partial`)).toBe(false);
  expect((await hub("first", "backup", dir)).stderr).toContain("There is something at");

  const { s: late } = await a.client.command("postMessage", { room, text: "after the backup" });
  const cursors = a.client.cursors();
  const { position } = a.client;
  const wanted = await tablesAt("first", taken.lanes);

  // On an empty folder.
  const restored = await hubJson("second", "restore", dir);
  expect(await hub("second", "up")).toMatchObject({ code: exitCodes.done });
  expect(await digestsOf("second")).toEqual(wanted);
  expect((await hubJson("second", "digest")).digest).toBe(restored.digest);
  await expectWhole("second");
  const there = await addressOf("second");
  await expectDownload(there, ada.session, id);
  const back = talk(there, ada.session, cursors, position);
  await expect.poll(() => back.told, { timeout: 15_000 }).toContain("reset");
  const { head } = await back.client.query("history", { room, limit: 1 });
  expect(head).toBeLessThan(Number(late));
  await expect.poll(() => back.seen(room)).toEqual(upTo(head));
  await signIn({ url: there, email: bob.email, password });
  await back.client.command("postMessage", { room, text: "on the other box" });
  await expectWhole("second");
  await hub("second", "down");

  // In place, while people are connected.
  await register({ url, email: "late@example.org", password, name: "late" });
  const lost = await signIn({ url, email: "late@example.org", password });
  const refused = await hub("first", "restore", dir);
  expect(refused).toMatchObject({ code: exitCodes.failed, stderr: expect.stringContaining("--yes") });
  a.told.length = 0;
  expect(await hub("first", "restore", "--yes", dir)).toMatchObject({ code: exitCodes.done });
  expect(await digestsOf("first")).toEqual(wanted);
  await expectWhole("first");
  await expect.poll(() => a.told, { timeout: 30_000 }).toContain("reset");
  await expect.poll(() => a.seen(room), { timeout: 15_000 }).toEqual(upTo(head));
  expect(await a.client.command("postMessage", { room, text: "we go on" })).toMatchObject({ s: head + 1 });
  await expect.poll(() => b.seen(room).at(-1), { timeout: 15_000 }).toBe(head + 1);
  await expectDownload(url, ada.session, id);
  const ended = talk(url, lost);
  await expect.poll(() => ended.told, { timeout: 15_000 }).toContain("closed SessionEnded");
}, 480_000);

test("a restore that is killed leaves nothing to be served until it is finished; an altered backup restores nothing", async () => {
  const marker = join(root, "first/restoring.json");
  const killed = await run("first", ["restore", "--yes", join(root, "backup")], "Restoring");
  expect([killed.code, existsSync(marker)]).toEqual([null, true]);
  for (const command of ["up", "serve"]) {
    const { code, stderr } = await hub("first", command);
    expect([code, stderr]).toEqual([exitCodes.restoreUnfinished, expect.stringContaining("Finish it by")]);
  }
  const lane = join(root, "backup/lanes/rooms.0.commits");
  const bytes = readFileSync(lane);
  const altered = Buffer.from(bytes);
  altered[bytes.length - 9] = (altered[bytes.length - 9] ?? 0) ^ 1;
  writeFileSync(lane, altered);
  const unsound = await hub("first", "restore", "--yes", join(root, "backup"));
  expect(unsound).toMatchObject({ code: exitCodes.failed, stderr: expect.stringContaining("lanes/rooms.0.commits") });
  writeFileSync(lane, bytes);
  expect((await hub("first", "restore", "--yes", join(root, "backup"))).code).toBe(exitCodes.done);
  expect(existsSync(marker)).toBe(false);
  expect((await hub("first", "up")).code).toBe(exitCodes.done);
  await expectWhole("first");
}, 480_000);
