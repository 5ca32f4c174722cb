import { randomBytes, randomUUID } from "node:crypto";
import { type ContextModel, MemoryTables } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { openLane } from "@connect-hub/jetstream";
import { openPool, openSnapshot, type PostgresPool, pgApplier, pgFactSource } from "@connect-hub/postgres";
import { firstDifference, foldLane, type Projector, startProjector } from "@connect-hub/projections";
import { openVault } from "@connect-hub/vault";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { type BareSocket, bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { download, upload } from "../support/files.ts";
import { appendUnknown, unknownType } from "../support/unknownEvent.ts";

// An event that no code here knows stands in the log of a room: written by a newer version, which went away again.

let chat: ChatUnderTest;
let edge: StartedEdge;
let pool: PostgresPool;
let projector: Projector;
let ada: Person;
let bob: Person;
let a: BareSocket;

beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  pool = openPool(chat.box.databaseUrl, { name: "tests", max: 4 });
});
afterAll(async () => {
  await projector?.close();
  await chat?.close();
  await pool?.end();
});

const later = { type: unknownType, data: {} as never, sealed: {}, changes: () => [] };
/** Knows the event, and is of the same version of facts: what an operator has when the code was mended. */
const mended = { ...roomModel, events: Object.assign(Object.create({ [later.type]: later }), roomModel.events) };

async function project(model: ContextModel): Promise<void> {
  const vault = await openVault({ db: pool, rootFile: String(chat.box.env.HUB_VAULT_ROOT) });
  projector = startProjector({
    lane: "rooms.0",
    openLane: () => lane(),
    model,
    vault,
    source: pgFactSource({ auth: pool, chat: pool, content: pool }, model.tables, { generation: 1 }),
    applier: pgApplier(pool, model, { generation: 1, projector: randomUUID() }),
    lookEveryMs: 50,
  });
}

const lane = () => openLane(chat.box.link, { prefix: chat.box.prefix, id: "rooms.0" });

const okOf = async (request: object, socket = a): Promise<Record<string, unknown>> => {
  const answer = await socket.ask(request);
  expect(answer.err).toBeUndefined();
  return answer.ok as Record<string, unknown>;
};
const errOf = async (request: object, socket = a) => (await socket.ask(request)).err;
const command = (m: string, d: object, k = newKey()) => ({ m, d, k });
const query = (q: string, d: object) => ({ q, d });

test("a room with an event that can't be applied is refused everywhere until it was tried again, and all others go on", async () => {
  let commands = await chat.startCommands();
  const others = await chat.startProjector();
  edge = await chat.startEdge();
  ada = await chat.person(edge, "ada");
  bob = await chat.person(edge, "bob");
  // From here on the tables of rooms have a projector of ours.
  await others.close();
  await project(roomModel);
  a = await bareSocket(edge.url, ada.session.token);
  const made = () => okOf(command("createRoom", { name: "Engine", members: [bob.user] }));
  const [red, blue] = [String((await made()).room), String((await made()).room)];
  const before = command("postMessage", { room: red, text: "before" });
  const first = await okOf(before);
  const talker = bob.connect({ parkedMs: 50 });
  await vi.waitFor(() => expect(talker.events(red)).toEqual(["1 roomCreated", "2 messagePosted"]));

  await commands.close();
  await appendUnknown(chat.box, red, ada.user);
  // The next writer takes over, whatever stands in the tail.
  commands = await chat.startCommands();
  await vi.waitFor(() => okOf(command("postMessage", { room: blue, text: "goes on" })), { timeout: 15_000 });
  await vi.waitFor(() => expect(talker.events(blue)).toEqual(["1 roomCreated", "2 messagePosted"]));

  const parked = expect.objectContaining({ code: 506, name: "Parked", retry: true, afterMs: 5_000 });
  const post = command("postMessage", { room: red, text: "waits" });
  for (const request of [post, query("history", { room: red }), query("members", { room: red })])
    expect(await errOf(request)).toEqual(parked);
  // What was done before is told again.
  expect(await okOf(before)).toEqual(first);
  expect(await okOf(query("rooms", {}))).toMatchObject({ rooms: [{ id: blue }], parked: [red] });
  const fresh = await bareSocket(edge.url, ada.session.token);
  expect(await fresh.first("ready")).toMatchObject({ ready: { rooms: [{ id: blue }], parked: [red] } });
  fresh.send({ resume: { [red]: ["a1b2c3d4", 1] } });
  expect(await fresh.first("resumed")).toEqual({ resumed: { [red]: ["parked", "a1b2c3d4", 1] } });
  expect(talker.told).not.toContain("left");

  const { rows } = await pool.query("select kind, id, type, retry from chat.parked");
  expect(rows).toEqual([{ kind: "room", id: red, type: later.type, retry: false }]);

  await projector.close();
  await project(mended);
  await pool.query("update chat.parked set retry = true");
  await vi.waitFor(() => okOf(post), { timeout: 10_000 });
  await vi.waitFor(async () => expect(await okOf(query("history", { room: red }))).toMatchObject({ head: 3 }));
  await vi.waitFor(() => {
    expect(talker.events(red)).toEqual(["1 roomCreated", "2 messagePosted", "3 messagePosted"]);
  });
  expect(talker.told).not.toContain("left");

  const log = await lane();
  const n = await log.lastNumber();
  await vi.waitFor(() => expect(projector.n).toBe(n));
  const fold = new MemoryTables(roomModel.tables);
  const vault = await openVault({ db: pool, rootFile: String(chat.box.env.HUB_VAULT_ROOT) });
  expect(await foldLane(fold, { lane: log, model: mended, vault, to: n })).toEqual([]);
  const snapshot = await openSnapshot(pool, roomModel);
  expect(await firstDifference(snapshot, fold, roomModel)).toBeUndefined();
  await snapshot.close();
  await commands.close();
}, 60_000);

test("nobody speaks for a parked account, no parked bytes are sent, and all others go on", async () => {
  await projector.close();
  const apps = [await chat.startCommands(), await chat.startProjector()];
  const at = (person: Person) => ({ url: edge.url, token: person.session.token });
  const made = await vi.waitFor(() => okOf(command("createRoom", { name: "Engine", members: [bob.user] })), 15_000);
  const room = String(made.room);
  const [one, two] = [await upload(at(ada), room, randomBytes(10)), await upload(at(ada), room, randomBytes(10))];
  const statusOf = async ({ ok }: typeof one) => (await download(at(ada), ok.file)).status;
  expect([await statusOf(one), await statusOf(two)]).toEqual([200, 200]);
  const b = await bareSocket(edge.url, bob.session.token);
  await okOf(query("rooms", {}), b);

  const park = (schema: string, lane: string, kind: string, id: string) =>
    pool.query(`insert into ${schema}.parked values ($1, $2, $3, 1, 'Later.v9', 'of a test', false)`, [lane, kind, id]);
  await park("content", "content.0", "blob", one.ok.hash);
  await park("auth", "accounts.0", "account", bob.user);
  await vi.waitFor(async () => {
    await upload(at(ada), room, randomBytes(1));
    expect([await statusOf(one), await statusOf(two)]).toEqual([503, 200]);
  }, 10_000);
  // Whose session an unknown one is nobody can tell; to look for it brings the news.
  expect(await overHttp("/v1/rooms", { token: `${randomUUID()}.${"A".repeat(43)}` })).toMatchObject({ name: "Parked" });
  expect(await b.first("err")).toMatchObject({ err: { name: "Parked" } });
  expect(await b.closed).toBe(1013);
  expect(await overHttp("/v1/rooms", bob.session)).toMatchObject({ name: "Parked" });
  const { email, password } = bob;
  expect(await overHttp("/v1/sign-in", {}, { email, password })).toMatchObject({ name: "Parked" });
  await okOf(command("postMessage", { room, text: "goes on" }));
  const people = await okOf(query("people", { ids: [ada.user, bob.user] }));
  expect(people).toEqual({ people: [{ id: ada.user, name: "ada" }], parked: [bob.user] });
  expect(await okOf(query("members", { room }))).toMatchObject({
    members: expect.arrayContaining([{ id: bob.user, role: "member", name: "" }]),
  });

  await pool.query("delete from auth.parked; delete from content.parked");
  await vi.waitFor(async () => expect(await statusOf(one)).toBe(200), 5_000);
  await vi.waitFor(async () => okOf(query("rooms", {}), await bareSocket(edge.url, bob.session.token)), 5_000);
  for (const app of apps) await app.close();
}, 60_000);

async function overHttp(path: string, { token }: { token?: string }, body?: object): Promise<unknown> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const answer = (await (await fetch(`${edge.url}${path}`, { headers, ...sent })).json()) as { err?: unknown };
  return answer.err;
}
