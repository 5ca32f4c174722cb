import {
  type ClientEvent,
  type Command,
  clientEventOf,
  derivedId,
  eventText,
  type FactSource,
  factRef,
  followLane,
  type Lane,
  type LaneFollower,
} from "@connect-hub/domain/kernel";
import { roomCommands, roomModel } from "@connect-hub/domain/room";
import { ask, memoryBox } from "@connect-hub/domain/testing";
import type { RoomState } from "@connect-hub/protocol";
import type { Socket } from "@connect-hub/uws";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { Connection } from "../../apps/edge/connection.ts";
import { edgeLanes, knowFacts, rowAt } from "../../apps/edge/edgeLanes.ts";
import { announceRoom, holdRoom, type JoinSources, resumeRoom } from "../../apps/edge/joinRooms.ts";
import { readLiveFrame } from "../../apps/edge/liveFrame.ts";
import { missedEvents } from "../../apps/edge/missedEvents.ts";
import { roomFeeds } from "../../apps/edge/roomFeeds.ts";

const ada = "00000000-0000-4000-8000-00000000000a";
const bob = "00000000-0000-4000-8000-00000000000b";
const room = "00000000-0000-4000-8000-000000000001";
const people = new Map([ada, bob].map((id) => [factRef("users", id), { id, status: "active" }]));

type Fate = "now" | "lost" | "late" | "twice";

/** A client of the room that trusts nothing: it notes whatever is not as the protocol says. */
class Witness {
  readonly wrong: string[] = [];
  readonly seen: number[] = [];
  isIn = false;
  last = 0;
  epoch = "";
  /** Resumes under way, and how many of them bring what it may have by then: nobody had told it to resume, or one was under way. */
  #resuming = { all: 0, repeating: 0 };
  onResync = (): void => undefined;

  constructor(readonly user: string) {}

  async resume(isTold: boolean, work: () => Promise<void>): Promise<void> {
    const repeats = isTold && this.#resuming.all === 0 ? 0 : 1;
    this.#resuming.all += 1;
    this.#resuming.repeating += repeats;
    await work();
    this.#resuming.all -= 1;
    this.#resuming.repeating -= repeats;
  }

  take(frame: Record<string, unknown> | ClientEvent[]): void {
    if (Array.isArray(frame)) for (const event of frame) this.#event(event);
    else if ("r" in frame) this.#event(frame as never);
    else if ("room" in frame) this.#begin(frame.room as RoomState);
    else if ("left" in frame) this.isIn = false;
    else if ("resync" in frame) this.onResync();
    else if ("resumed" in frame) this.#resumed(Object.values(frame.resumed as object)[0]);
    else if ("err" in frame) this.wrong.push(JSON.stringify(frame));
  }

  #event({ s, t, d }: ClientEvent): void {
    if (!this.isIn) this.wrong.push(`${s} ${t} while outside`);
    if (s <= this.last) {
      if (this.#resuming.repeating === 0) this.wrong.push(`${s} again, after ${this.last}`);
      return;
    }
    if (s !== this.last + 1) this.wrong.push(`${s} after ${this.last}`);
    this.last = s;
    this.seen.push(s);
    const leaves = (t === "memberRemoved" || t === "memberLeft") && (d as { user: string }).user === this.user;
    if (leaves) this.isIn = false;
  }

  #begin({ s, epoch }: RoomState): void {
    if (this.isIn) this.wrong.push("came in twice");
    Object.assign(this, { isIn: true, last: s, epoch });
  }

  #resumed([how, , s]: [string, string, number]): void {
    if (how === "reset") this.last = s;
    else if (this.last < s) this.wrong.push(`resumed at ${s} with ${this.last}`);
  }
}

/** One room in memory with its writer, an edge that follows it, and Bob's sockets there; everything takes its time. */
async function world(seed: number) {
  const box = memoryBox(roomModel, "rooms.0");
  const topics = new Map<Socket, () => void>();
  const slowly = slowness(seed);
  const late: (() => void)[] = [];
  const state = { fate: "now" as Fate, isClogged: false };
  let follower: LaneFollower | undefined;
  const known = (): LaneFollower => follower ?? expect.unreachable();

  const feeds = roomFeeds({
    publish(_, body) {
      for (const [socket, fallBehind] of topics) if (socket.send(body) === "dropped") fallBehind();
    },
    enter: () => undefined,
    leave: () => undefined,
    async headOf() {
      await knowFacts(known(), [factRef("rooms", room)]);
      return Number(rowAt(known().view, factRef("rooms", room))?.s ?? 0);
    },
  });
  const writer = await box.writer({
    commands: roomCommands,
    foreign: { load: async () => people } as never,
    live: {
      publish(subject, body, headers = {}) {
        const live = readLiveFrame({ subject, body, header: (name) => headers[name] });
        if (live === undefined) return;
        const deliver = () => feeds.live(room, live.frame);
        if (state.fate === "late") late.push(deliver);
        else if (state.fate !== "lost") deliver();
        if (state.fate === "twice") deliver();
      },
    },
  });
  const witnesses = { ada: new Witness(ada), bob: new Witness(bob) };
  const { bob: witness } = witnesses;
  const others = connect(witnesses.ada);
  let connection = connect(witness);

  /** A new socket, on which somebody is signed in and in no room yet. */
  function connect(witness: Witness): Connection {
    let isOpen = true;
    const isClogged = () => state.isClogged && witness.user === bob;
    const socket: Socket = {
      remoteAddress: "::1",
      get bufferedBytes() {
        return isClogged() ? 1024 * 1024 : 0;
      },
      send(message) {
        if (isClogged()) return "dropped";
        if (isOpen) witness.take(JSON.parse(Buffer.from(message).toString()));
        return "sent";
      },
      cork: (work) => work(),
      subscribe: () => void topics.set(socket, () => made.fallBehind()),
      unsubscribe: () => void topics.delete(socket),
      close: (code) => void witness.wrong.push(`closed with ${code}`),
    };
    const made: Connection = new Connection(socket, {
      ...{ ip: "", userAgent: "", stop: feeds.stop },
      onBug: (error) => void witness.wrong.push(String(error)),
      onEnd() {
        isOpen = false;
        for (const reader of made.readers) feeds.drop(reader);
      },
    });
    made.who = { user: witness.user, session: "", name: null };
    made.signingIn();
    made.signedIn();
    return made;
  }

  const { vault } = box;
  const lane: Lane = {
    ...box.lane,
    async *read(from, signal) {
      for await (const batch of box.lane.read(from, signal)) {
        await slowly();
        yield batch;
      }
    },
  };
  const source: FactSource = {
    async load(...asked) {
      await slowly();
      const loaded = await box.source.load(...asked);
      await slowly();
      return loaded;
    },
  };
  follower = await followLane({
    ...{ lane, source, vault, model: roomModel },
    onCommit(commit, events) {
      for (const event of events) {
        const shown = clientEventOf(event, commit.at, roomModel);
        if (shown) feeds.logged(shown, commit.n);
        const { enter = [] } = roomModel.events[event.type]?.membership?.(event) ?? {};
        if (enter.includes(ada)) void announceRoom(others, room, sources);
        if (enter.includes(bob)) void announceRoom(connection, room, sources);
      }
    },
  });
  const lanes = edgeLanes(follower, [follower], follower, { holds: () => true });
  const readMissed = missedEvents(lanes, async (_, fromS, toS) => {
    await slowly();
    return box.tables
      .rows("room_events")
      .map(({ s, type, data, at, by }) => ({ r: room, s, t: type, d: data, by, at }) as unknown as ClientEvent)
      .map(eventText)
      .filter(({ s }) => s >= fromS && s <= toS);
  });
  const sources: JoinSources = { lanes, feeds, readMissed };
  let commands = 0;
  const send = (kind: Command["kind"], data: Command["data"]) => {
    commands += 1;
    const key = { actor: ada, id: derivedId(box.nowMs, `${commands}`) };
    return ask(writer, { key, kind, subject: room, data, deadlineAt: box.nowMs + 5_000 });
  };
  const resume = async (isTold = false, on = connection, who = witness): Promise<void> => {
    if (who.isIn) await who.resume(isTold, () => resumeRoom(on, room, [who.epoch, who.last], sources));
  };
  witness.onResync = () => void resume(true);
  witnesses.ada.onResync = () => void resume(true, others, witnesses.ada);
  return {
    ...{ box, witnesses, state, feeds, send, resume },
    deliverLate: () => late.splice(0).forEach((deliver) => void deliver()),
    /** Bob's line takes nothing more. */
    clog: async () => {
      state.isClogged = true;
    },
    async drain() {
      state.isClogged = false;
      connection.drained();
    },
    disconnect: async () => connection.closed(),
    /** As a sign-in does: a room that the client has is resumed, another one is told. */
    async reconnect() {
      connection.closed();
      state.isClogged = false;
      connection = connect(witness);
      if (!witness.isIn) return announceRoom(connection, room, sources);
      holdRoom(connection, room, sources);
      await resume(true);
    },
    settled: async () => {
      await known().reached(box.lane.commits.length, 5_000);
      await vi.waitFor(() => expect(connection.underWay.size + others.underWay.size).toBe(0), {
        timeout: 5_000,
        interval: 1,
      });
    },
    async close() {
      for (const one of [connection, others]) one.closed();
      await known().close();
      await writer.close();
    },
  };
}

/** Waits for none to some turns, in a way that follows from the seed. */
function slowness(seed: number): () => Promise<void> {
  let state = seed >>> 0;
  return async () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    for (let turns = state >>> 29; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  };
}

const oneOf = <const T extends string>(...actions: T[]) =>
  fc.record({ do: fc.constantFrom<T>(...actions), waits: fc.boolean() });
const step = fc.oneof(
  fc.record({ do: fc.constant("post" as const), count: fc.integer({ min: 1, max: 4 }), waits: fc.boolean() }),
  oneOf("resume", "reconnect"),
  oneOf("add", "remove"),
  oneOf("disconnect", "reconnect"),
  oneOf("project", "sweep", "deliverLate"),
  oneOf("clog", "drain", "interrupt"),
  fc.record({
    do: fc.constant("fate" as const),
    fate: fc.constantFrom<Fate>("now", "lost", "late", "twice"),
    waits: fc.constant(false),
  }),
);

test("whatever becomes of live frames, memberships and resumes, nobody misses, doubles or sees what is not theirs", {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.integer(), async (steps, seed) => {
      const { box, witnesses, state, feeds, send, settled, close, ...edge } = await world(seed);
      try {
        await send("createRoom", { name: "Engine", members: [bob] });
        const actions = {
          post: (count: number) =>
            Promise.all(Array.from({ length: count }, () => send("postMessage", { room, text: "x" }))),
          add: () => send("addMember", { room, user: bob }),
          remove: () => send("removeMember", { room, user: bob }),
          project: () => box.project(),
          sweep: async () => feeds.sweep(),
          deliverLate: async () => edge.deliverLate(),
          resume: () => edge.resume(),
          clog: edge.clog,
          interrupt: async () => feeds.interrupt(room),
          drain: edge.drain,
          disconnect: edge.disconnect,
          reconnect: edge.reconnect,
        };
        const running: Promise<unknown>[] = [];
        const joining: Promise<unknown>[] = [];
        for (const one of steps) {
          if (one.do === "fate") state.fate = one.fate;
          else if (one.do === "resume" || one.do === "reconnect") joining.push(actions[one.do]());
          else running.push(one.do === "post" ? actions.post(one.count) : actions[one.do]());
          // What joins a room waits for a line that takes nothing.
          if (one.waits) await Promise.all(state.isClogged ? running : [...running, ...joining]);
        }
        await edge.drain();
        await Promise.all([...running, ...joining]);
        await settled();
        await edge.reconnect();
        await send("addMember", { room, user: bob });
        await send("postMessage", { room, text: "the last one" });
        await settled();
        feeds.sweep();
        feeds.sweep();
        feeds.headOf(room);
        await box.project();
        for (const { wrong, isIn, last } of [witnesses.ada, witnesses.bob]) {
          expect(wrong).toEqual([]);
          expect([isIn, last]).toEqual([true, box.tables.get(factRef("rooms", room))?.s]);
        }
      } finally {
        await close();
      }
    }),
    { numRuns: 250 },
  );
});
