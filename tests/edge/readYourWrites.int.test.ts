import { laneOf } from "@connect-hub/domain/kernel";
import { decodePosition, encodePosition, mergeTokens } from "@connect-hub/domain/values";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { type BareSocket, bareSocket, untilAnswered } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { upload } from "../support/files.ts";
import { type NatsLine, natsLine } from "../support/natsLine.ts";

const roomLanes = 2;
let chat: ChatUnderTest;
/** Where people write. */
let edge: StartedEdge;
/** Where they ask; what it hears of the log goes over `line`. */
let other: StartedEdge;
let line: NatsLine;
let projector: { close(): Promise<void> };
let ada: Person;
let bob: Person;
let writer: BareSocket;
let asker: BareSocket;

beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers, { roomLanes });
  await chat.startCommands();
  projector = await chat.startProjector();
  line = await natsLine(servers.natsUrl);
  [edge, other] = await Promise.all([chat.startEdge(), chat.startEdge({ HUB_NATS_URL: line.url })]);
  [ada, bob] = [await chat.person(edge, "ada"), await chat.person(edge, "bob")];
  writer = await bareSocket(edge.url, ada.session.token);
});

// One whose edge hears nothing for long is ended.
beforeEach(async () => {
  asker?.close();
  asker = await vi.waitFor(() => bareSocket(other.url, ada.session.token), { timeout: 10_000 });
});

afterAll(async () => {
  line?.release();
  for (const socket of [writer, asker]) socket?.close();
  await chat?.close();
  await line?.close();
});

afterEach(() => line.release());

/** Sends a command at the one edge; its answer, and the position that covers it. */
async function write(m: string, d: object): Promise<{ readonly ok: never; readonly p: string }> {
  const { ok, p } = await writer.command(m, d);
  expect(ok).toBeDefined();
  return { ok: ok as never, p: String(p) };
}

/** A room in each lane, with what was written there last. */
async function roomsInBothLanes() {
  const made = new Map<string, string>();
  let position = ada.session.position;
  while (made.size < roomLanes) {
    const { ok, p } = await write("createRoom", { name: "Engine" });
    const { room } = ok as { readonly room: string };
    made.set(laneOf("rooms", room, roomLanes), room);
    position = mergeTokens(position, p);
  }
  return { rooms: [...made.values()], position };
}

const overHttp = async (path: string, position: string): Promise<unknown> => {
  const response = await fetch(`${other.url}${path}${path.includes("?") ? "&" : "?"}position=${position}`, {
    headers: { authorization: `Bearer ${ada.session.token}` },
  });
  return response.json();
};

/** Each query, asked at the other edge with the position that a write came with, and what it must show. */
const queries: readonly {
  readonly name: string;
  /** Writes, `before` that is called; what is asked then, and what must be in the answer. */
  readonly prepare: (before: () => void | Promise<void>) => Promise<{
    readonly position: string;
    readonly ask: (position: string) => Promise<unknown>;
    readonly shows: unknown;
  }>;
}[] = [
  {
    name: "rooms",
    async prepare(before: () => void | Promise<void>) {
      await before();
      const { rooms, position } = await roomsInBothLanes();
      const shows = { ok: { rooms: expect.arrayContaining(rooms.map((id) => expect.objectContaining({ id }))) } };
      return { position, shows, ask: (a) => asker.ask({ q: "rooms", d: {}, a }) };
    },
  },
  {
    name: "rooms over HTTP",
    async prepare(before: () => void | Promise<void>) {
      await before();
      const { rooms, position } = await roomsInBothLanes();
      const shows = { ok: { rooms: expect.arrayContaining(rooms.map((id) => expect.objectContaining({ id }))) } };
      return { position, shows, ask: (a) => overHttp("/v1/rooms", a) };
    },
  },
  ...["history", "history over HTTP"].map((name) => ({
    name,
    async prepare(before: () => void | Promise<void>) {
      const { rooms, position: made } = await roomsInBothLanes();
      const [room = ""] = rooms;
      const ask = (a: string) =>
        name === "history" ? asker.ask({ q: "history", d: { room }, a }) : overHttp(`/v1/rooms/${room}/events`, a);
      // So that it has an answer already, one from before.
      expect(await untilAnswered(() => ask(made))).toMatchObject({ ok: { events: [{ t: "roomCreated" }] } });
      await before();
      const posted = await Promise.all(rooms.map((room) => write("postMessage", { room, text: `in ${room}` })));
      const position = posted.map(({ p }) => p).reduce(mergeTokens);
      const shows = { ok: { events: [{ t: "roomCreated" }, { t: "messagePosted", d: { text: `in ${room}` } }] } };
      return { position, shows, ask };
    },
  })),
  {
    name: "members",
    async prepare(before) {
      const { rooms, position } = await roomsInBothLanes();
      const [room = ""] = rooms;
      const ask = (a: string) => asker.ask({ q: "members", d: { room }, a });
      expect(await untilAnswered(() => ask(position))).toMatchObject({ ok: { members: [{ id: ada.user }] } });
      await before();
      const { p } = await write("addMember", { room, user: bob.user });
      const shows = { ok: { members: expect.arrayContaining([expect.objectContaining({ id: bob.user })]) } };
      return { position: p, shows, ask };
    },
  },
  ...["people", "findPerson"].map((name) => ({
    name,
    async prepare(before: () => void | Promise<void>) {
      await before();
      const eve = await chat.person(edge, "eve");
      const d = name === "people" ? { ids: [eve.user] } : { email: eve.email };
      const person = { id: eve.user, name: "eve" };
      const shows = { ok: name === "people" ? { people: [person] } : person };
      return { position: eve.session.position, shows, ask: (a: string) => asker.ask({ q: name, d, a }) };
    },
  })),
  {
    name: "a file",
    async prepare(before: () => void | Promise<void>) {
      await before();
      const { rooms } = await roomsInBothLanes();
      const [room = ""] = rooms;
      const user = { url: edge.url, token: ada.session.token };
      const { ok, p } = await upload(user, room, Buffer.from("the bytes"));
      const ask = async (a: string) => {
        const response = await fetch(`${other.url}/v1/files/${ok.file}?position=${a}`, {
          headers: { authorization: `Bearer ${ada.session.token}` },
        });
        const text = await response.text();
        return response.ok ? { ok: text } : JSON.parse(text);
      };
      return { position: p, shows: { ok: "the bytes" }, ask };
    },
  },
];

describe("what was just acknowledged is in the answer of", () => {
  test.each(queries)("$name, at another edge", async ({ prepare }) => {
    const { position, ask, shows } = await prepare(() => undefined);
    expect(await untilAnswered(() => ask(position))).toMatchObject(shows as object);
  });

  test.each(queries)("$name, while the edge hears nothing for a while: not before it does", async ({ prepare }) => {
    const { ask, position, shows } = await prepare(() => line.hold());
    let isAnswered = false;
    const asking = ask(position).finally(() => {
      isAnswered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(isAnswered).toBe(false);
    line.release();
    expect(await asking).toMatchObject(shows as object);
  });
});

test("while the edge hears nothing at all, each is refused, to be asked again, and not answered from what was", async () => {
  // All get as far as there is something to be held back; then it is.
  let left = queries.length;
  let hold: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    hold = () => {
      line.hold();
      resolve();
    };
  });
  const whenAllAre = () => {
    left -= 1;
    if (left === 0) hold();
    return held;
  };
  const prepared = await Promise.all(queries.map(({ prepare }) => prepare(whenAllAre)));
  const answers = await Promise.all(prepared.map(({ ask, position }) => ask(position)));
  expect(answers).toEqual(
    queries.map(() => expect.objectContaining({ err: expect.objectContaining({ retry: true }) })),
  );
});

describe("while the projector stands still", () => {
  beforeAll(() => projector.close());

  test.each(queries.filter(({ name }) => name !== "members"))("$name shows it all the same", async ({ prepare }) => {
    const { position, ask, shows } = await prepare(() => undefined);
    expect(await untilAnswered(() => ask(position))).toMatchObject(shows as object);
  });
});

test("a position beyond the log, or of another epoch, is refused", async () => {
  const { position } = await roomsInBothLanes();
  const lanes = Object.entries(decodePosition(position) ?? {});
  const beyond = encodePosition(
    Object.fromEntries(lanes.map(([lane, [epoch, n] = ["", 0]]) => [lane, [epoch, n + 1_000_000]])),
  );
  const strange = encodePosition(Object.fromEntries(lanes.map(([lane, [, n] = ["", 0]]) => [lane, ["00000000", n]])));
  for (const a of [beyond, strange]) {
    expect(await asker.ask({ q: "rooms", d: {}, a })).toMatchObject({ err: { name: "BadPosition", retry: false } });
  }
});
