import { connect as dial } from "node:net";
import { freePort } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { type ChatUnderTest, chatUnderTest, type Person, type Talker } from "../support/chat.ts";
import { type EdgeProcess, killEdgeProcesses, startEdgeProcess } from "../support/edgeProcess.ts";

// Three edges on one port: the system gives each connection to one of them.
const upTo = (s: number) => Array.from({ length: s }, (_, at) => at + 1);
let chat: ChatUnderTest;
let edges: EdgeProcess[];
let url: string;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await Promise.all([chat.startCommands(), chat.startProjector()]);
  const port = await freePort();
  const start = (name: string) =>
    startEdgeProcess({ ...chat.box.env, HUB_NAME: name, HUB_SHARES_PORT: "1", HUB_LOG_LEVEL: "error" }, port);
  edges = await Promise.all(["edge-1", "edge-2", "edge-3"].map(start));
  url = edges[0]?.url ?? "";
  // Which of them answers is not ours to say: all of twenty are ready only when each is.
  const areReady = async () => {
    const answers = await Promise.all(
      upTo(20).map(() => fetch(`${url}/ready`, { headers: { connection: "close" } }).catch(() => undefined)),
    );
    expect(answers.every((answer) => answer?.ok)).toBe(true);
  };
  await vi.waitFor(areReady, { timeout: 15_000, interval: 50 });
});
afterAll(async () => {
  killEdgeProcesses();
  await chat?.close();
});

const numbers = (talker: Talker, room: string) => talker.events(room).map((event) => Number.parseInt(event, 10));

test("a port that others share in earnest takes every connection, and one alone is told that it is taken", async () => {
  const answers = await Promise.all(upTo(30).map(() => fetch(`${url}/health`, { headers: { connection: "close" } })));
  expect(answers.every(({ ok }) => ok)).toBe(true);
  const port = new URL(url).port;
  await expect(chat.startEdge({ HUB_PORT: port })).rejects.toThrow(`${port}`);
  await new Promise<void>((resolve, reject) => dial(Number(port), "127.0.0.1", resolve).once("error", reject));
});

test("one edge is killed and one is frozen: all go on at the third; nothing is lost, doubled or out of order", async () => {
  const people: Person[] = [];
  for (const name of ["ada", "bob", "eve"]) people.push(await chat.person({ ...edgeOf(), url }, name));
  const [ada] = people as [Person];
  const first = ada.connect({ url });
  const { room } = await first.client.command("createRoom", { name: "Engine" });
  for (const { user } of people.slice(1)) await first.client.command("addMember", { room, user });
  // Enough of them that each edge has some.
  const talkers = people.flatMap((person) => upTo(4).map(() => person.connect({ url })));
  // Everybody's history begins where they came in, with events 1 to 3.
  const reach = (head: number) =>
    vi.waitFor(() => {
      for (const talker of talkers) {
        const seen = numbers(talker, room);
        expect(seen[0]).toBeLessThanOrEqual(3);
        expect(seen).toEqual(upTo(head).slice((seen[0] ?? 1) - 1));
      }
    }, 15_000);
  await reach(3);
  const sent: string[] = [];
  const posted: number[] = [];
  const say = (talker: Talker, text: string) => {
    sent.push(text);
    return talker.client.command("postMessage", { room, text }).then(({ s }) => void posted.push(s));
  };
  const talking = [first, ...talkers].map(async (talker, who) => {
    for (let at = 0; at < 15; at++) await say(talker, `${who} ${at}`);
  });
  await vi.waitFor(() => expect(posted.length).toBeGreaterThan(30), { timeout: 10_000, interval: 5 });
  edges[0]?.child.kill("SIGKILL");
  edges[1]?.child.kill("SIGSTOP");
  // More than by the few who may be at the third one already: who comes to the frozen one again and again tries on, a few seconds each time.
  const before = posted.length;
  await vi.waitFor(() => expect(posted.length).toBeGreaterThan(before + 30), { timeout: 40_000, interval: 5 });
  edges[1]?.child.kill("SIGCONT");
  await Promise.all(talking);
  const all = upTo(3 + sent.length);
  await reach(all.length);
  expect([...posted].sort((a, b) => a - b)).toEqual(all.slice(3));
  const { events } = await first.client.query("history", { room, limit: 200 });
  const texts = events.flatMap(({ t, d }) => (t === "messagePosted" ? [(d as { text: string }).text] : []));
  expect([...texts].sort()).toEqual([...sent].sort());
}, 90_000);

/** What `person` needs of an edge besides its address. */
function edgeOf() {
  return { port: 0, over: new Promise<Error>(() => undefined), close: async () => undefined };
}
