import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import { type ContextModel, decodeCommit, MemoryTables, subjects } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder } from "@connect-hub/domain/testing";
import { contexts, type LaneId } from "@connect-hub/domain/values";
import { commandSender, listLanes, openLane } from "@connect-hub/jetstream";
import { openPool } from "@connect-hub/postgres";
import { foldLane } from "@connect-hub/projections";
import { appArgs } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { withBackupSources, withRestoreTarget } from "../../apps/hub/backup/boxParts.ts";
import { checkBackup } from "../../apps/hub/backup/checkBackup.ts";
import { blobFile } from "../../apps/hub/backup/manifest.ts";
import { type RestoreStep, restoreBackup, restoreSteps } from "../../apps/hub/backup/restoreBackup.ts";
import { writeRestoreMarker } from "../../apps/hub/backup/restoreMarker.ts";
import { takeBackup } from "../../apps/hub/backup/takeBackup.ts";
import { type Connections, writeConnections } from "../../apps/hub/box/connections.ts";
import { verifyLane } from "../../apps/hub/events/verifyLane.ts";
import { type ChatUnderTest, chatUnderTest, type StartedEdge } from "../support/chat.ts";
import type { FreshBox } from "../support/freshBox.ts";

const servers = () => ({
  natsUrl: inject("natsUrl"),
  postgresUrl: inject("postgresUrl"),
  valkeyUrl: inject("valkeyUrl"),
});
const signal = new AbortController().signal;
const models: { readonly [context: string]: ContextModel } = {
  accounts: accountModel,
  rooms: roomModel,
  content: contentModel,
};
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-restore-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A box with its apps in this process, as the commands of `hub` see it. */
interface BoxUnderTest extends ChatUnderTest {
  readonly dataDir: string;
  readonly connections: Connections;
}

async function boxUnderTest(name: string): Promise<BoxUnderTest> {
  const chat = await chatUnderTest(servers());
  const dataDir = join(folder, name);
  mkdirSync(join(dataDir, "run"), { recursive: true });
  const connections = connectionsTo(chat.box, dataDir);
  writeConnections(dataDir, connections);
  return { ...chat, dataDir, connections };
}

function connectionsTo({ env, databaseUrl, prefix }: FreshBox, dataDir: string): Connections {
  const urls = { authUrl: databaseUrl, chatUrl: databaseUrl, contentUrl: databaseUrl, vaultUrl: databaseUrl };
  const nats = {
    natsUrl: inject("natsUrl"),
    natsLogins: {},
    natsReplicas: 1,
    archiveDir: join(dataDir, "archive"),
    signingKey: join(dataDir, "signing-key"),
  } as const;
  const log = { ...nats, prefix, roomLanes: 1, laneBytes: 64 * 1024 * 1024 };
  const doors = { valkeyUrl: "redis://127.0.0.1:1", host: "127.0.0.1", tls: null, metricsPort: null, port: 1 };
  const content = { dir: join(dataDir, "content"), bytes: null, reserveBytes: null };
  const placement = { url: "http://127.0.0.1:1", secret: "", key: join(dataDir, "ssh-key"), publicKey: "" };
  return { ...log, ...urls, ...doors, content, placement, vaultRoot: String(env.HUB_VAULT_ROOT) };
}

async function startApps(chat: ChatUnderTest): Promise<StartedEdge & { stop(): Promise<void> }> {
  const projector = await chat.startProjector();
  const commands = await chat.startCommands();
  const edge = await chat.startEdge();
  return Object.assign(edge, {
    async stop() {
      await edge.close();
      await commands.close();
      await projector.close();
    },
  });
}

async function backUp({ connections }: BoxUnderTest, name: string) {
  const dir = join(folder, name);
  await withBackupSources(connections, (sources) => takeBackup(dir, sources, { signal }));
  return checkBackup(dir, { signal });
}

async function restore(
  { connections, dataDir }: BoxUnderTest,
  backup: Awaited<ReturnType<typeof backUp>>,
  step: (name: RestoreStep) => void = () => undefined,
): Promise<void> {
  const lanes: LaneId[] = ["accounts.0", "rooms.0", "content.0"];
  const { epochs } = writeRestoreMarker(dataDir, backup, lanes);
  await withRestoreTarget(connections, (target) => restoreBackup(backup, target, epochs, { signal, step }));
}

/** The digest of each table, of the lanes folded up to the commits of a backup, or to their heads. */
async function foldedDigests(
  { box }: BoxUnderTest,
  heads?: readonly { readonly lane: LaneId; readonly n: number }[],
): Promise<object> {
  const pool = openPool(box.databaseUrl, { name: "test" });
  const vault = await openVault({ db: pool, rootFile: String(box.env.HUB_VAULT_ROOT) });
  const digests: object[] = [];
  for (const context of contexts) {
    const model = models[context] as ContextModel;
    const tables = new MemoryTables(model.tables);
    for (const { lane: id } of await listLanes(box.link, box.prefix)) {
      if (!id.startsWith(`${context}.`)) continue;
      const lane = await openLane(box.link, { prefix: box.prefix, id });
      const to = heads?.find((head) => head.lane === id)?.n ?? (await lane.lastNumber());
      await foldLane(tables, { lane, model, vault, to });
    }
    digests.push(tables.digests());
  }
  await pool.end();
  return Object.assign({}, ...digests);
}

async function verdicts({ box }: BoxUnderTest) {
  const lanes = await listLanes(box.link, box.prefix);
  const open = lanes.map(async ({ lane: id }) =>
    verifyLane(await openLane(box.link, { prefix: box.prefix, id }), { signal }),
  );
  return Promise.all(open);
}

const numbers = (events: readonly string[]) => events.map((event) => Number.parseInt(event, 10));
const upTo = (s: number) => Array.from({ length: s }, (_, at) => at + 1);

describe("a box that is restored in place", () => {
  let it: BoxUnderTest;
  beforeAll(async () => {
    it = await boxUnderTest("in-place");
  });
  afterAll(() => it?.close());

  test("is what it was at the backup; people go on by themselves", async () => {
    let edge = await startApps(it);
    const ada = await it.person(edge, "ada");
    const a = ada.connect();
    const { room } = await a.client.command("createRoom", { name: "Engine" });
    const say = (text: string, key?: string) =>
      a.client.command("postMessage", { room, text }, key === undefined ? {} : { key });
    for (const text of ["one", "two", "three"]) await say(text);
    const talking = (async () => {
      for (let round = 0; round < 30; round++) await say(`while it copies ${round}`);
    })();
    const backup = await backUp(it, "in-place-1");
    await talking;
    const atBackup = await foldedDigests(it, backup.manifest.lanes);
    const late = await it.person(edge, "late");
    const key = "01968a5e-7c1a-7000-8000-3d2c1b0a9f8e";
    const first = await say("said after the backup", key);
    const before = { cursors: a.client.cursors(), position: a.client.position };
    await edge.stop();

    await restore(it, backup);
    expect(await foldedDigests(it)).toEqual(atBackup);
    expect((await verdicts(it)).map(({ fault }) => fault)).toEqual([undefined, undefined, undefined]);
    edge = await startApps(it);
    const back = ada.connect({ url: edge.url, ...before } as never);
    await expect.poll(() => back.told, { timeout: 15_000 }).toContain("reset");
    const { head } = await back.client.query("history", { room, limit: 1 });
    expect(head).toBeLessThan(Number(first.s));
    await expect.poll(() => numbers(back.events(room))).toEqual(upTo(head));
    // Its first is gone, so the same key does it anew.
    expect(await back.client.command("postMessage", { room, text: "said after the backup" }, { key })).toMatchObject({
      s: head + 1,
    });
    const gone = late.connect({ url: edge.url });
    await expect.poll(() => gone.told, { timeout: 15_000 }).toContain("closed SessionEnded");
    await expect.poll(async () => (await verdicts(it)).every(({ fault }) => fault === undefined)).toBe(true);
    await edge.stop();
  }, 90_000);

  test("can be restored from a break at any step, and again later", async () => {
    const backup = await checkBackup(join(folder, "in-place-1"), { signal });
    const before = (await listLanes(it.box.link, it.box.prefix)).map(({ epoch }) => epoch);
    rmSync(join(it.dataDir, "restoring.json"));
    for (const broken of restoreSteps) {
      const breaking = restore(it, backup, (step) => {
        if (step === broken) throw new Error(`killed at ${step}`);
      });
      await expect(breaking).rejects.toThrow(`killed at ${broken}`);
    }
    await restore(it, backup);
    expect(await foldedDigests(it)).toEqual(await foldedDigests(it, backup.manifest.lanes));
    const lanes = await listLanes(it.box.link, it.box.prefix);
    expect(lanes.map(({ epoch }) => epoch).filter((epoch) => before.includes(epoch))).toEqual([]);
    expect((await verdicts(it)).map(({ fault }) => fault)).toEqual([undefined, undefined, undefined]);
    const edge = await startApps(it);
    await edge.stop();
  }, 90_000);
});

describe("apps that are frozen while their box is restored", () => {
  let it: BoxUnderTest;
  const started: ChildProcess[] = [];
  beforeAll(async () => {
    it = await boxUnderTest("frozen");
  });
  afterAll(async () => {
    for (const child of started) child.kill("SIGKILL");
    await it?.close();
  });

  async function startProcess(app: string, port = "0"): Promise<ChildProcess> {
    const child = spawn(process.execPath, appArgs([app]), {
      env: { ...process.env, ...it.box.env, HUB_LOG_LEVEL: "fatal", HUB_PORT: port },
      stdio: ["ignore", "inherit", "ignore", "ipc"],
    });
    started.push(child);
    await once(child, "message");
    return child;
  }

  test("append nothing when they wake up, and end to be started anew", async () => {
    const { box } = it;
    const frozen = [await startProcess("projector"), await startProcess("commands"), await startProcess("edge")];
    const writer = (await box.nextBeat("rooms.0")).writer;
    const own = await it.startEdge();
    const ada = await it.person(own, "ada");
    const a = ada.connect();
    const { room } = await a.client.command("createRoom", { name: "Engine" });
    await a.client.command("postMessage", { room, text: "kept" });
    const backup = await backUp(it, "frozen-1");
    await a.client.command("postMessage", { room, text: "lost" });
    a.client.close();
    await own.close();
    for (const child of frozen) child.kill("SIGSTOP");
    const sender = commandSender(box.link, { onMalformed: () => undefined, onBug: () => undefined });
    const key = { actor: ada.user, id: "01968a5e-7c1a-7000-8000-3d2c1b0a9f8f" };
    const reply = sender.send(subjects(box.prefix).commands("rooms.0", writer), {
      key,
      kind: "postMessage",
      subject: room,
      data: { room, text: "from a dead epoch" },
      deadlineAt: Date.now() + 30_000,
    });

    await restore(it, backup);
    const edge = await startApps(it);
    const again = ada.connect({ url: edge.url });
    expect(await again.client.command("postMessage", { room, text: "goes on" })).toMatchObject({ s: 3 });
    const ends = frozen.map((child) => once(child, "exit"));
    for (const child of frozen) child.kill("SIGCONT");
    expect((await Promise.all(ends)).map(([code]) => code)).toEqual([1, 1, 1]);
    expect(await reply).toMatchObject({ refused: {} });
    sender.close();

    expect(await again.client.command("postMessage", { room, text: "and on" })).toMatchObject({ s: 4 });
    expect((await verdicts(it)).map(({ fault }) => fault)).toEqual([undefined, undefined, undefined]);
    const lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
    const writers = new Set<string>();
    for (let n = await lane.lastNumber(); n > 0; n--) {
      const commit = decodeCommit((await lane.readAt(n))?.bytes ?? new Uint8Array());
      if (commit.epoch === lane.epoch) writers.add(commit.writer);
    }
    expect(writers.has(writer)).toBe(false);
    await expect.poll(() => numbers(again.events(room))).toEqual(upTo(4));
  }, 90_000);
});

test("a backup has the bytes too of which this version can't tell whether they are promised", async () => {
  const it = await boxUnderTest("parked");
  try {
    const bytes = Buffer.from("of a newer version");
    const hash = createHash("sha256").update(bytes).digest("hex");
    const path = join(it.connections.content.dir, blobFile(hash));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    const pool = openPool(it.box.databaseUrl, { name: "test" });
    const vault = await openVault({ db: pool, rootFile: it.connections.vaultRoot });
    const lane = await openLane(it.box.link, { prefix: it.box.prefix, id: "content.0" });
    const log = new LogBuilder({ lane: lane.id, epoch: lane.epoch, model: contentModel, vault });
    const claimed = { type: "FileClaimed.v9", subject: { kind: "file" as const, id: "f" }, by: "x", data: { hash } };
    expect(await lane.append(await log.commit([[claimed]]), 0)).toBe("stored");
    await pool.end();
    await backUp(it, "parked-backup");
    expect(readFileSync(join(folder, "parked-backup", blobFile(hash)))).toEqual(bytes);
  } finally {
    await it.close();
  }
});
