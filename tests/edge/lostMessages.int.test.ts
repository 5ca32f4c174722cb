import { laneOf, subjects } from "@connect-hub/domain/kernel";
import { decodePosition, type LaneId } from "@connect-hub/domain/values";
import { signOut } from "@connect-hub/sdk";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge, type Talker } from "../support/chat.ts";
import { type Loss, type NatsLine, natsLine } from "../support/natsLine.ts";

// Ada is at an edge that hears everything, Bob at one whose line to NATS loses what a row names. Each row has a lane of its own, so that
// they can run side by side.
const roomLanes = 9;
/** In which a loss has to be found and made good. */
const withinMs = 6_000;
let chat: ChatUnderTest;
let sound: StartedEdge;
let lossy: StartedEdge;
let line: NatsLine;
let ada: Person;
let bob: Person;
let a: Talker;
let b: Talker;
let names: ReturnType<typeof subjects>;
const rooms = new Map<LaneId, string>();

beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers, { roomLanes });
  names = subjects(chat.box.prefix);
  await Promise.all([chat.startCommands(), chat.startProjector()]);
  line = await natsLine(servers.natsUrl);
  [sound, lossy] = await Promise.all([chat.startEdge(), chat.startEdge({ HUB_NATS_URL: line.url })]);
  [ada, bob] = [await chat.person(sound, "ada"), await chat.person(sound, "bob")];
  [a, b] = [ada.connect(), bob.connect({ url: lossy.url })];
  while (rooms.size < roomLanes) {
    const { room } = await a.client.command("createRoom", { name: "Engine", members: [bob.user] });
    const lane = laneOf("rooms", room, roomLanes);
    if (!rooms.has(lane)) rooms.set(lane, room);
  }
  await vi.waitFor(() => expect([...rooms.values()].filter((room) => b.events(room).length === 0)).toEqual([]), 5_000);
});
afterAll(async () => {
  await chat?.close();
  await line?.close();
});

/** What a row has: a lane, a room there, and its log's stream. */
interface Place {
  readonly lane: LaneId;
  readonly room: string;
  readonly stream: string;
  readonly log: string;
}

interface Row {
  readonly what: string;
  readonly losses: (place: Place) => readonly Loss[];
  /** Does what the messages come from, and resolves when all is as if none had been lost. `hasHit`: when all of them were lost; the 6 s begin with the last one. */
  readonly heals: (place: Place, hasHit: () => Promise<unknown>) => Promise<void>;
}

const text = "as if nothing had been lost";
const say = (talker: Talker, room: string) => talker.client.command("postMessage", { room, text });
const soon = (check: () => unknown) => vi.waitFor(check, { timeout: withinMs, interval: 10 });
const isTold = ({ room }: Place, event: string) => soon(() => expect(b.events(room).at(-1)).toBe(event));

const live = ({ room }: Place): Loss => ({ way: "down", subject: names.liveRoom(room) });
const commit = ({ log }: Place): Loss => ({ way: "down", subject: log, atMost: 1 });

/** Somebody's session, which has a socket at `other`, is ended by `edge`, and is over at both when that is answered. */
async function endsBy(edge: StartedEdge, other: StartedEdge): Promise<void> {
  const eve = await chat.person(sound, "eve");
  const talker = eve.connect({ url: other.url });
  await soon(() => expect(talker.client.state).toBe("online"));
  await signOut({ url: edge.url, token: eve.session.token });
  const { status } = await fetch(`${other.url}/v1/rooms`, {
    headers: { authorization: `Bearer ${eve.session.token}` },
  });
  expect(status).toBe(401);
  await soon(() => expect(talker.told.at(-1)).toBe("closed SessionEnded"));
}

const rows: readonly Row[] = [
  {
    what: "the beats of a lane",
    losses: ({ lane }) => [{ way: "down", subject: names.beat(lane), atMost: 4 }],
    async heals({ room }, hasHit) {
      await hasHit();
      expect(await say(b, room)).toMatchObject({ s: 2 });
    },
  },
  {
    what: "an edge's word that it is there",
    losses: () => [{ subject: names.edge(""), atMost: 1 }],
    async heals(_, hasHit) {
      await hasHit();
      const hitAt = Date.now();
      // It says so again before its lease is over.
      await soon(() => expect(line.publishedAt(names.edge(""))).toBeGreaterThan(hitAt));
      await b.client.query("rooms", {});
      expect(b.told).not.toContain("waiting");
    },
  },
  {
    what: "a commit of the log, with nothing after it",
    losses: (place) => [commit(place)],
    async heals({ room }) {
      await say(a, room);
      const url = `${lossy.url}/v1/rooms/${room}/events?position=${a.client.position}`;
      const read = async () => {
        const answer = await fetch(url, { headers: { authorization: `Bearer ${bob.session.token}` } });
        return (await answer.json()) as object;
      };
      await soon(async () => expect(await read()).toMatchObject({ ok: { events: [{ s: 1 }, { s: 2, d: { text } }] } }));
    },
  },
  {
    what: "a command",
    losses: ({ lane }) => [{ subject: names.commands(lane, ""), atMost: 1 }],
    async heals(place) {
      expect(await say(b, place.room)).toMatchObject({ s: 2 });
      await isTold(place, "2 messagePosted");
    },
  },
  {
    what: "the answer to a command",
    losses: ({ lane }) => [{ answersTo: names.commands(lane, ""), atMost: 1 }],
    async heals(place) {
      expect(await say(b, place.room)).toMatchObject({ s: 2 });
      expect(await say(b, place.room)).toMatchObject({ s: 3 });
    },
  },
  {
    what: "the log's word on where it ends, to who signs in",
    losses: ({ stream }) => [{ answersTo: `$JS.API.STREAM.INFO.${stream}`, atMost: 1 }],
    async heals({ room }) {
      const again = bob.connect({ url: lossy.url });
      await soon(() => expect(again.client.state).toBe("online"));
      await soon(() => expect(again.events(room)).toEqual(["1 roomCreated"]));
    },
  },
  {
    what: "a live frame",
    losses: (place) => [live(place)],
    async heals(place) {
      await say(a, place.room);
      await isTold(place, "2 messagePosted");
    },
  },
  {
    what: "the live frame of a removal, and those after it",
    losses: (place) => [live(place)],
    async heals(place) {
      const { room } = place;
      await Promise.all([a.client.command("removeMember", { room, user: bob.user }), say(a, room)]);
      await soon(() => expect(b.client.rooms.has(room)).toBe(false));
      expect(b.events(room)).toEqual(["1 roomCreated", "2 memberRemoved"]);
    },
  },
  {
    what: "a live frame, and its commit on the way to the edge",
    losses: (place) => [live(place), commit(place)],
    async heals(place) {
      await say(a, place.room);
      await isTold(place, "2 messagePosted");
    },
  },
  ...(["up", "down"] as const).flatMap((way): Row[] => {
    const from = way === "up" ? "of this edge" : "to this edge";
    const [asker, asked] = [() => (way === "up" ? lossy : sound), () => (way === "up" ? sound : lossy)];
    return [
      {
        what: `the question ${from} whether a session is over`,
        losses: () => [{ way, subject: names.edgeRevokes, atMost: 1 }],
        heals: () => endsBy(asker(), asked()),
      },
      {
        what: `the word ${from} that a session is over`,
        losses: () => [{ way, subject: names.edgeConfirms(""), atMost: 1 }],
        heals: () => endsBy(asked(), asker()),
      },
    ];
  }),
];

describe.concurrent("is lost, found and made good within 6 s:", () => {
  test.each(rows.map((row, at) => ({ ...row, at })))("$what", async ({ losses, heals, at }) => {
    const lane: LaneId = `rooms.${at % roomLanes}`;
    const position = decodePosition(a.client.position ?? "") ?? {};
    const epoch = position[lane]?.[0] ?? "";
    const place = {
      lane,
      room: rooms.get(lane) ?? "",
      log: names.log(lane, epoch),
      stream: names.logStream(lane, epoch),
    };
    const running = losses(place).map((loss) => ({ atMost: loss.atMost ?? 1, loss: line.lose(loss) }));
    const total = () => running.reduce((sum, { loss }) => sum + loss.count, 0);
    let seen = 0;
    let lastHitAt = 0;
    const watching = setInterval(() => {
      if (total() === seen) return;
      seen = total();
      lastHitAt = performance.now();
    }, 5);
    await heals(place, () => soon(() => expect(total()).toBe(running.reduce((sum, { atMost }) => sum + atMost, 0))));
    clearInterval(watching);
    expect(performance.now() - lastHitAt).toBeLessThan(withinMs);
    for (const { loss, atMost } of running) expect(loss.count).toBeGreaterThanOrEqual(atMost);
    for (const { loss } of running) loss.end();
  });
});
