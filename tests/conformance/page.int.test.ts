import { epoch8 } from "@connect-hub/domain/kernel";
import { limits } from "@connect-hub/domain/values";
import { openLane } from "@connect-hub/jetstream";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { type BareSocket, bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { appendUnknown } from "../support/unknownEvent.ts";
import { type Example, examples, readHttp } from "./examples.ts";
import { Places } from "./places.ts";

// The examples of docs/protocol.md at a real edge, in order: what its client says is sent, what its server says must be what comes.

const page = new Map(examples().map((example) => [example.name, example]));
const places = new Places();
const played = new Set<string>();

let chat: ChatUnderTest;
let edge: StartedEdge;
let second: StartedEdge;
let commands: Awaited<ReturnType<ChatUnderTest["startCommands"]>>;
let bob: Person;
let carl: Person;
let eve: Person;
/** Ada's sockets: one that plays the page, and one that does what the page does not show. */
let a: BareSocket;
let hand: BareSocket;
let ada: string;
let token: string;
let room: string;
let epoch: string;

beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  commands = await chat.startCommands();
  await chat.startProjector();
  [edge, second] = [await chat.startEdge(), await chat.startEdge()];
  [bob, carl, eve] = [await chat.person(edge, "bob"), await chat.person(edge, "carl"), await chat.person(edge, "eve")];
});
afterAll(() => chat?.close());

function example(name: string): Example {
  const found = page.get(name);
  if (found === undefined) throw new Error(`the page has no example "${name}"`);
  played.add(name);
  return found;
}

/** The frame that the page's client sends, with what only this run knows. */
function said(name: string, known: object = {}): object {
  const shown = JSON.parse(example(`client ${name}`).text);
  const frame = { ...places.fill(shown), ...known };
  expect(places.differences(shown, frame), `client ${name}`).toEqual([]);
  return frame;
}

/** Holds what came to what the page's server says. */
function came(name: string, frame: unknown): void {
  expect(places.differences(JSON.parse(example(`server ${name}`).text), frame), `server ${name}`).toEqual([]);
}

/** Sends the page's request and holds the answer to the page's. */
async function overHttp(name: string, bearer?: string): Promise<Record<string, unknown>> {
  const { start, headers, body } = readHttp(example(`client ${name}`).text);
  const [method = "", path = ""] = start.split(" ");
  const answer = await fetch(`${edge.url}${places.fill(path)}`, {
    method,
    headers: bearer === undefined ? headers : { ...headers, authorization: `Bearer ${bearer}` },
    ...(body === undefined ? {} : { body: JSON.stringify(places.fill(body)) }),
  });
  const shown = readHttp(example(`server ${name}`).text);
  expect(answer.status).toBe(Number(shown.start));
  for (const [header, value] of Object.entries(shown.headers))
    expect([header, answer.headers.get(header)]).toEqual([header, value]);
  const json = await answer.json();
  expect(places.differences(shown.body, json), `server ${name}`).toEqual([]);
  return json as Record<string, unknown>;
}

type Frame = Readonly<Record<string, unknown>>;

/** The first frame of a socket, come or to come, that is so. */
function frame<T = Record<string, unknown>>(socket: BareSocket, fits: (frame: Frame) => boolean): Promise<T> {
  return vi.waitFor(
    () => {
      const found = socket.frames.find(fits);
      if (found === undefined) throw new Error(`no such frame among ${JSON.stringify(socket.frames).slice(0, 2_000)}`);
      return found as T;
    },
    { timeout: 10_000, interval: 10 },
  );
}

const sOf = async (socket: BareSocket, m: string, d: object): Promise<number> => {
  const { ok } = (await socket.command(m, d)) as { ok: { s: number } };
  return ok.s;
};

test("an account, a session, and a socket that goes on from where the client was", async () => {
  await overHttp("register");
  const { ok } = (await overHttp("sign-in")) as { ok: { user: string; token: string } };
  ada = ok.user;
  token = ok.token;
  hand = await bareSocket(edge.url, ok.token);
  const made = await hand.ask({
    m: "createRoom",
    d: { name: "Engine", members: [bob.user, carl.user] },
    k: newKey(),
  });
  room = (made.ok as { room: string }).room;
  epoch = epoch8((await openLane(chat.box.link, { prefix: chat.box.prefix, id: "rooms.0" })).epoch);
  const b = await bareSocket(edge.url, bob.session.token);
  await sOf(b, "postMessage", { room, text: "Who is there?" });
  b.close();

  a = await bareSocket(edge.url);
  came("hello", a.frames[0]);
  a.send(said("auth", { auth: { token: ok.token, resume: { [room]: [epoch, 1] } } }));
  await frame(a, (one) => "resumed" in one);
  came("ready", a.frames[1]);
  // What was missed, then the end of the resume, and nothing besides.
  expect(a.frames.slice(2)).toMatchObject([[{ r: room, s: 2 }], { resumed: { [room]: ["ok", epoch, 2] } }]);
});

test("a command, its answer and its event; a refusal; a query", async () => {
  const { position } = ((await a.first("ready")) as { ready: { position: string } }).ready;
  const post = said("post", { a: position, k: newKey() }) as { i: number };
  a.send(post);
  const posted = await frame<{ ok: { s: number } }>(a, (one) => one.i === post.i);
  came("posted", posted);
  const event = (one: Frame) => one.s === posted.ok.s && one.r === room;
  came("event", await frame(a, event));

  const history = said("history", { d: { room, before: posted.ok.s, limit: 1 } }) as { i: number };
  a.send(history);
  came("history", await frame(a, (one) => one.i === history.i));

  came("too-many", await tooMany());
});

/** The refusal of a request behind as many others as may be unanswered. */
function tooMany(): Promise<unknown> {
  // On a busy machine the first may be answered before the last is read.
  return vi.waitFor(
    async () => {
      const busy = await bareSocket(edge.url, carl.session.token);
      for (let at = 0; at < limits.inFlight; at++)
        busy.send({ i: 1_000 + at, m: "postMessage", d: { room: newKey(), text: "x" }, k: newKey() });
      busy.send({ i: 2, q: "rooms", d: {} });
      const answer = await frame(busy, (one) => one.i === 2);
      busy.close();
      expect(answer).toHaveProperty("err");
      return answer;
    },
    { timeout: 20_000 },
  );
}

test("events of one commit, and what a reader who came later sees of them", async () => {
  const e = await bareSocket(edge.url, eve.session.token);
  const old = await sOf(hand, "postMessage", { room, text: "before eve" });
  await sOf(hand, "addMember", { room, user: eve.user });
  const own = await sOf(hand, "postMessage", { room, text: "Hello." });
  await frame(e, (one) => one.s === own);
  // Both are in one commit when they come in one tick.
  const arrays = await vi.waitFor(
    async () => {
      await Promise.all([
        sOf(hand, "editMessage", { room, message: own, text: "Hello!" }),
        sOf(hand, "editMessage", { room, message: old, text: "Hello!" }),
      ]);
      await frame(e, (one) => [one].flat().some((event) => event.t === "hidden"));
      const found = e.frames.find((one) => Array.isArray(one));
      expect(found).toBeDefined();
      return found;
    },
    { timeout: 10_000 },
  );
  came("events", arrays);

  await sOf(hand, "removeMember", { room, user: eve.user });
  came("left", await e.first("left"));
  // The removal itself is the last that eve gets of the room.
  const last = e.frames
    .slice(
      0,
      e.frames.findIndex((one) => "left" in one),
    )
    .flat();
  expect(last.at(-1)).toMatchObject({ r: room, t: "memberRemoved" });
  e.close();
});

test("what is missing is sent again, or the room has to be loaded anew", async () => {
  const already = a.frames.length;
  a.send(said("resume", { resume: { [room]: [epoch, 2] } }));
  came("resumed", await vi.waitFor(() => resumedAfter(already)));
  const missed = a.frames.slice(already, -1).flat() as { s?: number; r?: string }[];
  const numbers = missed.map(({ s }) => s);
  expect(numbers).toEqual(numbers.map((_, at) => at + 3));

  const before = a.frames.length;
  a.send(said("resume-old"));
  came("reset", await vi.waitFor(() => resumedAfter(before)));
});

function resumedAfter(at: number): unknown {
  const found = a.frames.slice(at).find((one) => "resumed" in one);
  if (found === undefined) throw new Error("not resumed yet");
  return found;
}

test("a room that comes, and a heartbeat", async () => {
  const c = await bareSocket(edge.url, carl.session.token);
  const beat = said("heartbeat");
  await sOf(hand, "postMessage", { room, text: "while carl is there" });
  await frame(c, (one) => one.r === room);
  c.send(beat);
  came("heartbeat", await c.first("hb"));
  c.close();
  const b = await bareSocket(edge.url, bob.session.token);
  await sOf(b, "openDialog", { with: ada });
  came("room", await a.first("room"));
  b.close();
});

test("a command, a query and a refusal over HTTP", async () => {
  await overHttp("command", token);
  await overHttp("query", token);
  await overHttp("refused", token);
});

test("an upload that may be interrupted", async () => {
  await overHttp("begin-upload", token);
  await overHttp("read-upload", token);
  await overHttp("go-on", token);
});

test("a room that can't be read, and an edge that stops", async () => {
  await commands.close();
  await appendUnknown(chat.box, room, ada);
  came("resync", await a.first("resync"));
  const before = a.frames.length;
  a.send({ resume: { [room]: [epoch, 44] } });
  came("parked", await vi.waitFor(() => resumedAfter(before)));
  await edge.close();
  const { err } = await a.first<{ err: { afterMs: number } }>("err");
  // Another one for each socket.
  expect(err.afterMs).toBeGreaterThanOrEqual(0);
  expect(err.afterMs).toBeLessThanOrEqual(2_000);
  came("leaving", { err: { ...err, afterMs: 640 } });
  expect(await a.closed).toBe(1012);
});

test.each([
  [{ auth: { token: "x", resume: { lobby: 1 } } }, "BadCursor", 1008],
  [" ".repeat(2 * limits.frameBytes), "FrameTooLarge", 1009],
  [" ".repeat(2 * limits.frameBytes + 1), undefined, 1006],
])("a socket that can't go on ends as the page says: %#", async (sent, name, code) => {
  const socket = await bareSocket(second.url);
  socket.send(sent);
  expect(await socket.closed).toBe(code);
  expect((socket.frames[1]?.err as { name: string } | undefined)?.name).toBe(name);
});

test("every example of the page was played", () => {
  expect([...page.keys()].filter((name) => !played.has(name))).toEqual([]);
});
