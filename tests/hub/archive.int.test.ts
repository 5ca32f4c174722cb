import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCommandsConfig, startCommands } from "@connect-hub/commands";
import { pause } from "@connect-hub/domain/kernel";
import { readEdgeConfig, startEdge } from "@connect-hub/edge";
import { closeEpoch, openLane } from "@connect-hub/jetstream";
import { readProjectorConfig, startProjectors } from "@connect-hub/projector";
import { freePort } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { withBackupSources } from "../../apps/hub/backup/boxParts.ts";
import { checkBackup } from "../../apps/hub/backup/checkBackup.ts";
import { takeBackup } from "../../apps/hub/backup/takeBackup.ts";
import { readConnections, writeConnections } from "../../apps/hub/box/connections.ts";
import { finishClosedLanes } from "../../apps/hub/box/finishClosedLanes.ts";
import { type ChatUnderTest, chatUnderTest, type StartedEdge } from "../support/chat.ts";
import { runHub } from "../support/runHub.ts";

let chat: ChatUnderTest;
let dataDir: string;
let url = "";
let stopping = false;
let stop: () => void = () => undefined;
const stopped = new Promise<void>((resolve) => {
  stop = resolve;
});
const kept: Promise<void>[] = [];
const ended: string[] = [];

beforeAll(async () => {
  const natsUrl = inject("natsUrl");
  chat = await chatUnderTest({ natsUrl, postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") });
  dataDir = mkdtempSync(join(tmpdir(), "connect-hub-archive-"));
  mkdirSync(join(dataDir, "run"));
  const { databaseUrl: url, env, prefix } = chat.box;
  writeConnections(dataDir, {
    ...{ natsUrl, natsLogins: {}, prefix, roomLanes: 1, laneBytes: 64 * 1024 ** 2 },
    ...{ authUrl: url, chatUrl: url, contentUrl: url, vaultUrl: url, vaultRoot: String(env.HUB_VAULT_ROOT) },
    ...{ valkeyUrl: inject("valkeyUrl"), host: "127.0.0.1", port: 1, archiveDir: String(env.HUB_ARCHIVE_DIR) },
    content: { dir: String(env.HUB_CONTENT_DIR), bytes: null, reserveBytes: null },
    placement: { url: "http://127.0.0.1:1", secret: "", key: join(dataDir, "ssh-key"), publicKey: "" },
  });
});
afterAll(async () => {
  stopping = true;
  stop();
  await Promise.all(kept);
  await chat?.close();
  if (dataDir !== undefined) rmSync(dataDir, { recursive: true });
});

interface App {
  readonly over: Promise<Error>;
  close(): Promise<void>;
}

/** Starts an app, and again whenever it says that it is over, as the supervisor of a box does. */
async function keep(name: string, start: () => Promise<App>): Promise<void> {
  let app = await start();
  const again = async () => {
    for (;;) {
      await Promise.race([app.over, stopped]);
      await app.close();
      if (stopping) return;
      ended.push(name);
      // Another lane may be in its next epoch before it has begun.
      app = await vi.waitFor(start, { timeout: 20_000, interval: 200 });
    }
  };
  kept.push(again());
}

const hub = async (...args: string[]) => {
  const run = await runHub(dataDir, ...args);
  expect(run.complaints, args.join(" ")).not.toContain("rror");
  return run;
};

test("a box whose log is archived under its people goes on, loses nothing, and reads what is in the files", async () => {
  const env = { ...chat.box.env, HUB_PORT: String(await freePort()), HUB_LOG_LEVEL: "silent" };
  await keep("commands", () => startCommands(readCommandsConfig(env)));
  await keep("projector", () => startProjectors(readProjectorConfig(env)));
  await keep("edge", () => startEdge(readEdgeConfig(env)));
  url = `http://127.0.0.1:${env.HUB_PORT}`;
  await vi.waitFor(async () => expect((await fetch(`${url}/ready`)).status).toBe(200), 15_000);
  const ada = await chat.person({ url } as StartedEdge, "ada");
  const a = ada.connect();
  const { room } = await a.client.command("createRoom", { name: "Engine" });
  const said: string[] = [];
  const talk = async (until: () => boolean) => {
    while (!until()) {
      const text = `message ${said.length + 1}`;
      await a.client.command("postMessage", { room, text });
      said.push(text);
      await pause(5);
    }
  };
  await talk(() => said.length >= 20);

  const away = a.client.cursors();

  let archived = false;
  const talking = talk(() => archived && said.length % 20 === 0);
  const { code, said: out } = await hub("archive", "--all", "--json");
  archived = true;
  expect(code).toBe(0);
  const lanes = JSON.parse(out).map(({ lane }: { lane: string }) => lane);
  expect(lanes).toEqual(["accounts.0", "rooms.0", "content.0"]);
  await talking;
  expect(new Set(ended)).toEqual(new Set(["commands", "projector", "edge"]));

  // Every message once, in order, for somebody who comes anew.
  const later = ada.connect();
  await vi.waitFor(() => expect(later.client.rooms.get(room)?.s).toBe(said.length + 1), 20_000);
  await vi.waitFor(() => expect(later.events(room)).toHaveLength(said.length + 1), 20_000);
  expect(later.events(room)).toEqual(["1 roomCreated", ...said.map((_, at) => `${at + 2} messagePosted`)]);

  // Who was away meanwhile begins anew, and has the same.
  const back = ada.connect({ cursors: away });
  await vi.waitFor(() => expect(back.events(room)).toEqual(later.events(room)), 20_000);
  expect(back.told).toContain("reset");

  await hub("wait-caught-up", "--json");
  // Tables that were filled anew meanwhile give exactly what was missed.
  const [epoch = "", s = 0] = later.client.cursors()[room] ?? [];
  expect((await hub("projections", "rebuild", "rooms")).code).toBe(0);
  const missed = ada.connect({ cursors: { [room]: [epoch, s - 5] } });
  await vi.waitFor(() => expect(missed.events(room)).toEqual(later.events(room).slice(-5)), 20_000);
  expect(missed.told).not.toContain("reset");
  const parts = JSON.parse((await hub("archive", "--json")).said);
  expect(parts.map(({ past }: { past: { fault: null }[] }) => past.map(({ fault }) => fault))).toEqual([
    [null],
    [null],
    [null],
  ]);
  expect((await hub("events", "verify")).code).toBe(0);
  const digest = JSON.parse((await hub("digest", "--fold", "--json")).said);
  expect(digest.fold).toEqual({ same: true });

  const backup = join(dataDir, "backup");
  const signal = new AbortController().signal;
  await withBackupSources(readConnections(dataDir), (sources) => takeBackup(backup, sources, { signal }));
  const { manifest } = await checkBackup(backup, { signal });
  expect(manifest.lanes.find(({ lane }) => lane === "rooms.0")?.n).toBeGreaterThan(said.length / 4);
}, 120_000);

test("a lane whose archive died when it had closed it is written to again, without anybody's doing", async () => {
  const connections = readConnections(dataDir);
  const { prefix, laneBytes: maxBytes } = connections;
  const { signal } = new AbortController();
  const step = (name: string) => {
    if (name === "make stream") throw new Error("died");
  };
  const options = { prefix, lane: "rooms.0", replicas: 1, maxBytes, signal, step } as const;
  const { link } = chat.box;
  const { client } = (await chat.person({ url } as StartedEdge, "eve")).connect();
  const finishing = await finishClosedLanes(connections, { say: vi.fn(), everyMs: 50, afterMs: 100 });
  await expect(closeEpoch(link, link, options)).rejects.toThrow("died");
  const { epoch } = await openLane(link, { prefix, id: "rooms.0" });
  const isOver = async () => expect((await openLane(link, { prefix, id: "rooms.0" })).epoch).not.toBe(epoch);
  await vi.waitFor(isOver, 5_000);
  await finishing.close();
  expect(await client.command("createRoom", { name: "Later" })).toMatchObject({ room: expect.any(String) });
}, 60_000);
