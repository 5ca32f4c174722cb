import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { storm } from "../support/storm.ts";

let chat: ChatUnderTest;
let edge: StartedEdge;
let ada: Person;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  edge = await chat.startEdge({ HUB_WAITING_SIGN_INS: "20" });
  ada = await chat.person(edge, "ada");
});
afterAll(() => chat?.close());

test("200 sockets at once sign in a few at a time; the others are told when to come back, and all get in; who is online is served", async () => {
  const online = await bareSocket(edge.url, ada.session.token);
  const { ok } = await online.command("createRoom", { name: "Engine" });
  const { room } = ok as { room: string };
  let isOver = false;
  const talking = (async () => {
    let slowestMs = 0;
    for (let said = 0; !isOver || said === 0; said++) {
      const before = performance.now();
      const answer = await online.ask({ m: "postMessage", d: { room, text: "still here" }, k: newKey() });
      expect(answer.err).toBeUndefined();
      slowestMs = Math.max(slowestMs, performance.now() - before);
    }
    return slowestMs;
  })();
  const { refusals, cut, readyAfterMs, close } = await storm({
    url: edge.url,
    tokens: [ada.session.token],
    count: 200,
    timeoutMs: 25_000,
  });
  isOver = true;
  expect(await talking).toBeLessThan(2_000);
  close();
  expect([readyAfterMs.length, cut]).toEqual([200, 0]);
  expect(refusals.length).toBeGreaterThan(20);
  expect(new Set(refusals.map(({ name }) => name))).toEqual(new Set(["Busy"]));
  const times = refusals.map(({ afterMs }) => afterMs);
  expect(new Set(times).size).toBeGreaterThan(20);
});

test("an edge that stops tells each socket, also those that have not signed in, when to come back", async () => {
  const leaving = await chat.startEdge();
  const sockets = await Promise.all(
    Array.from({ length: 120 }, (_, at) => bareSocket(leaving.url, at % 2 === 0 ? ada.session.token : undefined)),
  );
  await leaving.close();
  const told = await Promise.all(
    sockets.map((socket) => socket.first<{ err: { name: string; afterMs: number } }>("err")),
  );
  expect(new Set(told.map(({ err }) => err.name))).toEqual(new Set(["ShuttingDown"]));
  expect(new Set(await Promise.all(sockets.map(({ closed }) => closed)))).toEqual(new Set([1012]));
  const times = told.map(({ err }) => err.afterMs);
  expect([Math.min(...times) < 500, Math.max(...times) > 1_500, Math.max(...times) <= 2_000]).toEqual([
    true,
    true,
    true,
  ]);
});
