import { signOut } from "@connect-hub/sdk";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { type BareSocket, bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { type CutLine, cutLine } from "../support/cutLine.ts";
import { type EdgeProcess, killEdgeProcesses, startEdgeProcess } from "../support/edgeProcess.ts";

// The edge by which sessions are ended; one that will be frozen; one that will be killed; one whose line to NATS will be cut.
let chat: ChatUnderTest;
let edge: StartedEdge;
let frozen: EdgeProcess;
let killed: EdgeProcess;
let cut: StartedEdge;
let line: CutLine;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  line = await cutLine(servers.natsUrl);
  await Promise.all([chat.startCommands(), chat.startProjector()]);
  [edge, cut, frozen, killed] = await Promise.all([
    chat.startEdge(),
    chat.startEdge({ HUB_NATS_URL: line.url, HUB_NAME: "cut" }),
    startEdgeProcess({ ...chat.box.env, HUB_NAME: "frozen", HUB_LOG_LEVEL: "error" }),
    startEdgeProcess({ ...chat.box.env, HUB_NAME: "killed", HUB_LOG_LEVEL: "error" }),
  ]);
});
afterAll(async () => {
  killEdgeProcesses();
  await chat?.close();
});

async function timed(work: Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work;
  return performance.now() - begun;
}

const endAt = (url: string, { session }: Person) => timed(signOut({ url, token: session.token }));
const roomsBy = async (url: string, { session }: Person) => {
  const response = await fetch(`${url}/v1/rooms`, { headers: { authorization: `Bearer ${session.token}` } });
  return [response.status, ((await response.json()) as { err?: { name: string } }).err?.name];
};
const eventsOf = (socket: BareSocket) => socket.frames.filter((frame) => "r" in frame || Array.isArray(frame));

test("while all edges are there, the end of a session is answered at once, when it is over at each of them", async () => {
  const urls = [edge.url, frozen.url, killed.url, cut.url];
  const took: number[] = [];
  for (const _ of [1, 2]) {
    const ada = await chat.person(edge, "ada");
    const sockets = await Promise.all(urls.map((url) => bareSocket(url, ada.session.token)));
    const isClosed = sockets.map(() => false);
    for (const [index, socket] of sockets.entries()) void socket.closed.then(() => (isClosed[index] = true));
    const held = sockets[1]?.ask({ m: "createRoom", d: { name: "Engine" }, k: newKey() });
    took.push(await endAt(edge.url, ada));
    for (const url of urls) expect(await roomsBy(url, ada)).toEqual([401, "SessionEnded"]);
    expect("ok" in ((await held) ?? {}) || "err" in ((await held) ?? {})).toBe(true);
    await vi.waitFor(() => expect(isClosed).toEqual([true, true, true, true]));
    expect(sockets.map(({ frames }) => frames.at(-1))).toMatchObject(
      sockets.map(() => ({ err: { name: "SessionEnded" } })),
    );
  }
  expect(Math.min(...took)).toBeLessThan(1_000);
});

test("the end of one's own session is answered on its socket", async () => {
  const ada = await chat.person(edge, "ada");
  const socket = await bareSocket(frozen.url, ada.session.token);
  expect(await socket.command("signOut", {})).toMatchObject({ ok: {} });
  expect(await socket.closed).toBe(4303);
});

test("edges that can't say so are waited for as long as their leases last, and serve nothing when they are back", async () => {
  const [ada, bob] = [await chat.person(edge, "ada"), await chat.person(edge, "bob")];
  const a = ada.connect();
  const { room } = await a.client.command("createRoom", { name: "Engine" });
  await a.client.command("addMember", { room, user: bob.user });
  const bobs = await Promise.all([frozen.url, cut.url].map((url) => bareSocket(url, bob.session.token)));
  const others = [frozen.url, cut.url].map((url) => ada.connect({ url }));
  await vi.waitFor(() => expect(others.map(({ client }) => client.state)).toEqual(["online", "online"]));
  const [bobFrozen, bobCut] = bobs as [BareSocket, BareSocket];

  killed.child.kill("SIGKILL");
  frozen.child.kill("SIGSTOP");
  await line.cut();
  const post = (text: string) => a.client.command("postMessage", { room, text });
  await post("before");
  const ending = endAt(edge.url, bob);
  // What is on its way to the one that is frozen is found there when it wakes up.
  bobFrozen.send({ i: 77, m: "postMessage", d: { room, text: "by a dead session" }, k: newKey() });
  bobFrozen.send({ i: 78, q: "history", d: { room } });
  const tookMs = await ending;
  expect(tookMs).toBeGreaterThan(3_000);
  expect(tookMs).toBeLessThan(6_000);

  // The one without NATS says no to everybody, and nothing new to those who are there.
  expect((await roomsBy(cut.url, ada))[0]).toBe(503);
  expect(await bobCut.ask({ q: "rooms", d: {} })).toMatchObject({ err: { name: "Unavailable", retry: true } });
  bobCut.send({ hb: 9 });
  expect(await bobCut.first("hb")).toMatchObject({ hb: { n: 9, heads: {} } });
  expect(await (await fetch(`${cut.url}/ready`)).json()).toMatchObject({ ok: { lease: false } });
  const seenBefore = bobs.map((socket) => eventsOf(socket).length);

  const last = await post("after");
  frozen.child.kill("SIGCONT");
  await line.mend();
  for (const socket of bobs) await socket.closed;
  expect(bobs.map((socket) => eventsOf(socket).length)).toEqual(seenBefore);
  const answers = bobFrozen.frames.filter(({ i }) => i === 77 || i === 78);
  expect(answers.every((frame) => "err" in frame)).toBe(true);
  expect(bobCut.frames.at(-1)).toMatchObject({ err: { name: "SessionEnded" } });
  await vi.waitFor(async () => {
    for (const url of [frozen.url, cut.url]) expect(await roomsBy(url, bob)).toEqual([401, "SessionEnded"]);
  }, 5_000);
  // Everybody else goes on, without a hole.
  const whole = Array.from({ length: last.s }, (_, at) => at + 1);
  for (const talker of [a, ...others]) {
    await vi.waitFor(
      () => expect(talker.events(room).map((event) => Number.parseInt(event, 10))).toEqual(whole),
      10_000,
    );
  }
  const { events } = await a.client.query("history", { room });
  expect(JSON.stringify(events)).not.toContain("dead session");

  // Of the one that was killed nobody asks any more.
  const eve = await chat.person(edge, "eve");
  expect(await endAt(edge.url, eve)).toBeLessThan(2_000);
});
