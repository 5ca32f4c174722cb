import type { WireError } from "@connect-hub/protocol";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type BareSocket, bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge, type Talker } from "../support/chat.ts";
import { type CutLine, cutLine } from "../support/cutLine.ts";

// One edge reaches its servers by lines that are cut; another one does not, and shows what goes on elsewhere.

let chat: ChatUnderTest;
let edge: StartedEdge;
let nats: CutLine;
let postgres: CutLine;
let valkey: CutLine;
let ada: Person;
let bob: Person;
let elsewhere: Talker;
let room: string;
let posted = 1;

beforeAll(async () => {
  chat = await chatUnderTest({
    natsUrl: inject("natsUrl"),
    postgresUrl: inject("postgresUrl"),
    valkeyUrl: inject("valkeyUrl"),
  });
  await chat.startCommands();
  await chat.startProjector();
  nats = await cutLine(inject("natsUrl"));
  postgres = await cutLine(chat.box.databaseUrl);
  valkey = await cutLine(inject("valkeyUrl"));
  const sound = await chat.startEdge();
  edge = await chat.startEdge({
    HUB_NATS_URL: nats.url,
    HUB_AUTH_URL: postgres.url,
    HUB_CHAT_URL: postgres.url,
    HUB_CONTENT_URL: postgres.url,
    HUB_VAULT_URL: postgres.url,
    HUB_VALKEY_URL: valkey.url,
    HUB_LOG_LEVEL: "silent",
  });
  ada = await chat.person(sound, "ada");
  bob = await chat.person(sound, "bob");
  elsewhere = ada.connect();
  room = (await elsewhere.client.command("createRoom", { name: "Engine", members: [bob.user] })).room;
});
afterAll(() => chat?.close());

async function postElsewhere(): Promise<void> {
  posted = (await elsewhere.client.command("postMessage", { room, text: "from elsewhere" })).s;
}

const errOf = async (socket: BareSocket, request: object) => ((await socket.ask(request)).err as WireError)?.name;
const post = () => ({ m: "postMessage", d: { room, text: "x" }, k: newKey() });
const history = (before?: number) => ({ q: "history", d: { room, ...(before !== undefined && { before }) } });
const readyParts = async () =>
  ((await (await fetch(`${edge.url}/ready`)).json()) as { ok: Record<string, boolean> }).ok;
const upTo = (s: number) => Array.from({ length: s }, (_, at) => at + 1);
const seen = (talker: Talker) => talker.events(room).map((event) => Number.parseInt(event, 10));

/** What a socket is told that tries to sign in. */
async function signingIn(person: Person): Promise<readonly [string, number]> {
  const socket = await bareSocket(edge.url);
  socket.send({ auth: { token: person.session.token } });
  const { err } = await socket.first<{ err: WireError }>("err");
  return [err.name, await socket.closed];
}

describe("while NATS is away", () => {
  test("everything is refused with an error that may be tried again; afterwards nothing is missing", async () => {
    const b = bob.connect({ url: edge.url });
    await expect.poll(() => b.client.state).toBe("online");
    await expect.poll(() => seen(b)).toEqual(upTo(posted));
    const bare = await bareSocket(edge.url, bob.session.token);
    await nats.cut();
    await expect.poll(async () => (await readyParts()).nats).toBe(false);
    await postElsewhere();
    await postElsewhere();
    expect(await errOf(bare, post())).toBe("Unavailable");
    expect(await errOf(bare, history())).toBe("Unavailable");
    expect(await signingIn(ada)).toEqual(["Unavailable", 1013]);
    const mine = b.client.command("postMessage", { room, text: "kept until NATS is back" });
    await nats.mend();
    posted = (await mine).s;
    await expect.poll(() => seen(b), { timeout: 10_000 }).toEqual(upTo(posted));
    await expect.poll(() => seen(elsewhere)).toEqual(upTo(posted));
    await expect.poll(async () => (await fetch(`${edge.url}/ready`)).status, { timeout: 10_000 }).toBe(200);
  });
});

describe("while Postgres is away", () => {
  test("live events go on; what needs the tables is refused with an error that may be tried again", async () => {
    const eve = await chat.person(edge, "eve");
    const b = bob.connect({ url: edge.url });
    await expect.poll(() => seen(b)).toEqual(upTo(posted));
    const bare = await bareSocket(edge.url, bob.session.token);
    await postgres.cut();
    await postElsewhere();
    await expect.poll(() => seen(b)).toEqual(upTo(posted));
    expect(b.told.filter((told) => told === "online")).toHaveLength(1);
    expect((await readyParts()).postgres).toBe(false);
    expect(await errOf(bare, { q: "rooms", d: {} })).toBe("Unavailable");
    expect(await signingIn(eve)).toEqual(["Unavailable", 1013]);
    bare.send({ hb: 1 });
    await bare.first("hb");
    await postgres.mend();
    await expect.poll(async () => (await fetch(`${edge.url}/ready`)).status, { timeout: 10_000 }).toBe(200);
    expect(await errOf(bare, { q: "rooms", d: {} })).toBeUndefined();
    const again = await bareSocket(edge.url, eve.session.token);
    expect(await errOf(again, { q: "rooms", d: {} })).toBeUndefined();
  });
});

describe("while Valkey is away", () => {
  test("nobody may guess passwords, everybody else goes on", async () => {
    const attempt = async () => {
      const body = JSON.stringify({ email: ada.email, password: ada.password });
      const response = await fetch(`${edge.url}/v1/sign-in`, { method: "POST", body });
      const answer = (await response.json()) as { err?: WireError };
      return answer.err?.name ?? response.status;
    };
    expect(await attempt()).toBe(200);
    await valkey.cut();
    await expect.poll(attempt).toBe("Unavailable");
    const bare = await bareSocket(edge.url, bob.session.token);
    expect(await errOf(bare, post())).toBeUndefined();
    await valkey.mend();
    await expect.poll(attempt, { timeout: 10_000 }).toBe(200);
  });
});
