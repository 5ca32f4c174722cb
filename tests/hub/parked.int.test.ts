import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContextModel, DomainEvent, Lane, Vault } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, RoomTalk, seededRandom } from "@connect-hub/domain/testing";
import { openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool, pgApplier, pgFactSource } from "@connect-hub/postgres";
import { type Projector, startProjector } from "@connect-hub/projections";
import { openVault } from "@connect-hub/vault";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { writeConnections } from "../../apps/hub/box/connections.ts";
import { runCli } from "../../apps/hub/cli.ts";
import { exitCodes } from "../../apps/hub/exitCodes.ts";
import { type FreshBox, freshBox } from "../support/freshBox.ts";

let dataDir: string;
let box: FreshBox;
let pool: PostgresPool;
let lane: Lane;
let vault: Vault;
let log: LogBuilder;
let projector: Projector;
const talk = new RoomTalk(seededRandom(1));

beforeAll(async () => {
  box = await freshBox({ natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl") });
  pool = openPool(box.databaseUrl, { name: "test" });
  dataDir = mkdtempSync(join(tmpdir(), "connect-hub-parked-"));
  mkdirSync(join(dataDir, "run"));
  const { databaseUrl: url } = box;
  const urls = { authUrl: url, chatUrl: url, contentUrl: url, vaultUrl: url };
  const unused = { valkeyUrl: "redis://127.0.0.1:1", host: "127.0.0.1", port: 1, laneBytes: 1 };
  const vaultRoot = String(box.env.HUB_VAULT_ROOT);
  const nats = { natsUrl: inject("natsUrl"), natsLogins: {}, prefix: box.prefix, roomLanes: 1 };
  const content = { dir: join(dataDir, "content"), bytes: null, reserveBytes: null };
  const placement = { url: "http://127.0.0.1:1", secret: "", key: "", publicKey: "" };
  writeConnections(dataDir, { ...nats, ...urls, vaultRoot, ...unused, content, placement });
  lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  vault = await openVault({ db: pool, rootFile: vaultRoot });
  log = new LogBuilder({ lane: lane.id, epoch: lane.epoch, model: roomModel, vault });
  await say(talk.create("red", ["ann"]));
  await say(talk.create("blue", ["ann"]));
});
afterAll(async () => {
  await projector?.close();
  await pool.end();
  await box.close();
  rmSync(dataDir, { recursive: true });
});
afterEach(() => void vi.restoreAllMocks());

let said = 0;
async function say(...events: DomainEvent[]): Promise<void> {
  await lane.append(await log.commit([events]), said++);
}

function start(model: ContextModel): void {
  projector = startProjector({
    lane: "rooms.0",
    openLane: async () => lane,
    model,
    vault,
    source: pgFactSource({ auth: pool, chat: pool, content: pool }, model.tables, { generation: 1 }),
    applier: pgApplier(pool, model, { generation: 1, projector: "test" }),
    lookEveryMs: 50,
  });
}

const hub = (...args: string[]) => run("projections", "parked", ...args);

async function run(...args: string[]) {
  const lines: string[] = [];
  const complaints: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void lines.push(text));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => complaints.push(String(text)) > 0);
  const code = await runCli(args, { HUB_DATA: dataDir });
  vi.restoreAllMocks();
  return { code, said: lines.join("\n"), complaints: complaints.join("") };
}

const later = { type: "RoomPainted.v1", data: {} as never, sealed: {}, changes: () => [] };
/** The same version of facts, but that it can apply the event. */
const mended = Object.assign(Object.create({ [later.type]: later }), roomModel.events);
const painted = { type: later.type, subject: { kind: "room" as const, id: "red" }, by: "ann", data: {} };

test("an operator sees what is parked and why, tries it again, and is told what came of it", async () => {
  start(roomModel);
  expect(await hub()).toMatchObject({ code: exitCodes.done, said: "Nothing is parked." });
  await say(talk.post("red", "one"), painted as never, talk.post("blue", "one"));
  await say(talk.post("red", "two"));
  await vi.waitFor(() => expect(projector.n).toBe(4));

  const { code, said: table } = await hub();
  expect(code).toBe(exitCodes.failed);
  for (const text of ["room red", "rooms.0", later.type, "use a newer version", "projections parked retry red"])
    expect(table.replaceAll(/\s+/g, " ")).toContain(text);
  const [mark, ...none] = JSON.parse((await hub("--json")).said);
  expect(none).toEqual([]);
  expect(mark).toMatchObject({ kind: "room", id: "red", lane: "rooms.0", from: 3, type: later.type, waiting: 3 });
  expect(mark).toMatchObject({ projection: "rooms", generation: 1, state: "served", retry: false });

  const doctor = (await run("doctor")).said.replaceAll(/\s+/g, " ");
  expect(doctor).toContain("1 can't be read, the first is room red since commit 3");
  const unknown = await hub("retry", "green");
  expect(unknown.code).toBe(exitCodes.failed);
  expect(unknown.complaints).toContain('Nothing with the id "green" is parked. See: npm run hub -- projections parked');
  const again = await hub("retry", "red");
  expect(again).toMatchObject({ code: exitCodes.failed });
  expect(again.said).toContain(`room red stays parked since commit 3: ${later.type}`);

  await projector.close();
  const nobody = await hub("retry", "--timeout", "1");
  expect(nobody).toMatchObject({ code: exitCodes.failed });
  expect(nobody.said).toContain("1 not tried yet");
  start({ ...roomModel, events: mended });
  await vi.waitFor(async () => expect((await hub()).said).toBe("Nothing is parked."));
  const { rows } = await pool.query("select room_id, count(*) as n from chat.room_events group by 1 order by 1");
  expect(rows).toEqual([
    { room_id: "blue", n: 2 },
    { room_id: "red", n: 3 },
  ]);
  expect(await hub("retry")).toMatchObject({ code: exitCodes.done, said: "Nothing is parked." });
});
