import type { ClientEvent } from "@connect-hub/domain/kernel";
import { bodySeenFrom, eventsIn, frameAfter, lowestReference, membershipOf, type RoomFrame } from "./roomFrame.ts";
import { type RoomSequence, roomSequence } from "./roomSequence.ts";

/** A socket as the feeds see it. */
export interface FeedSocket {
  readonly user: string;
  subscribe(room: string): void;
  unsubscribe(room: string): void;
  /** Sends events to this socket alone. */
  sendEvents(body: Uint8Array): void;
  /** The user is not in the room any more; nothing of it was sent after the event that says so. */
  left(room: string): void;
  /** Events of the room were lost on the way to this socket: a resume brings them. */
  resync(room: string): void;
}

/**
 * One socket in one room. `held`: its events are kept while it catches up. `live`: they reach it as they are published. `stopped`:
 * it reads too slowly and gets nothing. `gone`: it is not in the room any more.
 */
export interface Reader {
  readonly socket: FeedSocket;
  readonly room: string;
  readonly phase: "held" | "live" | "stopped" | "gone";
  /** Resolves when the feed runs; the facts of the room must be as of this commit for nothing to be missing. */
  readonly since: Promise<number>;
}

export interface RoomFeedsOptions {
  /** A clock in milliseconds that never goes back; the process's if left out. */
  readonly now?: () => number;
  /** Sends to every socket that subscribed to the topic of the room. */
  publish(room: string, body: Uint8Array): void;
  /** Begins to receive the room's live frames, which go to `live`; returns what ends that. */
  subscribe(room: string): () => void;
  /** The number of the room's last event, as of every event that `logged` was given before. */
  headOf(room: string): Promise<number>;
}

/** The rooms with local readers, and who reads them. */
export interface RoomFeeds {
  /** From now on keeps the room's events for this socket, whatever it was before; ends with `release`, `stop` or `drop`. */
  hold(socket: FeedSocket, room: string): Reader;
  /** Sends what was kept after event `s`, and lets it run live. Its history begins at event `from`. */
  release(reader: Reader, s: number, from: number): void;
  stop(reader: Reader): void;
  drop(reader: Reader): void;
  live(room: string, frame: RoomFrame): void;
  /** Whether anybody here reads the room. */
  has(room: string): boolean;
  /** Each event of the log, in order. */
  logged(event: ClientEvent, n: number): void;
  /** Publishes what the log had at the last sweep already and no live frame has brought since. */
  sweep(): void;
  /** The last event published of a room; undefined when nobody here reads it. */
  headOf(room: string): number | undefined;
}

/**
 * Writing to many sockets costs some 7 µs each, however much it is. A room that talks faster than all its readers can be
 * written to is published in gathered turns: so long after one publish the next one waits, up to a maximum.
 */
const paceMsPerReader = 0.02;
const maxPaceMs = 25;
/** Rooms whose pace would be shorter are not worth a timer. */
const minPaceMs = 2;

/** Bytes of events that are kept for one reader; beyond that it has to resume. */
const maxHeldBytes = 1024 * 1024;

interface FeedReader extends Reader {
  phase: Reader["phase"];
  since: Promise<number>;
  from: number;
  held: RoomFrame[];
  heldBytes: number;
}

interface Feed {
  readonly readers: Map<FeedSocket, FeedReader>;
  readonly held: Set<FeedReader>;
  readonly unsubscribe: () => void;
  readonly started: Promise<void>;
  sequence: RoomSequence | undefined;
  /** What waits for the next turn of its topic, and when that may be. */
  gathered: Uint8Array[];
  nextTurnAt: number;
  timer: NodeJS.Timeout | undefined;
  /** What came before the sequence was known. */
  early: ((sequence: RoomSequence) => readonly RoomFrame[])[];
  /** The latest beginning of a live reader's history. */
  latestFrom: number;
}

export function roomFeeds(options: RoomFeedsOptions): RoomFeeds {
  const now = options.now ?? (() => performance.now());
  const feeds = new Map<string, Feed>();
  /** Rooms with events in the log since the last sweep, and in the sweep before. */
  let fresh = new Set<string>();
  let overdue = new Set<string>();

  function open(room: string): Feed {
    const feed: Feed = {
      readers: new Map(),
      held: new Set(),
      unsubscribe: options.subscribe(room),
      started: options.headOf(room).then((s) => start(room, feed, s)),
      sequence: undefined,
      gathered: [],
      nextTurnAt: 0,
      timer: undefined,
      early: [],
      latestFrom: 1,
    };
    // Whoever waits for it is told by `since`.
    feed.started.catch(() => close(room, feed));
    feeds.set(room, feed);
    return feed;
  }

  function close(room: string, feed: Feed): void {
    flush(room, feed);
    feed.unsubscribe();
    if (feeds.get(room) === feed) feeds.delete(room);
  }

  function start(room: string, feed: Feed, s: number): void {
    const sequence = roomSequence(s);
    feed.sequence = sequence;
    for (const step of feed.early) publishAll(room, feed, step(sequence));
    feed.early = [];
  }

  function take(room: string, step: (sequence: RoomSequence) => readonly RoomFrame[]): void {
    const feed = feeds.get(room);
    if (feed === undefined) return;
    if (feed.sequence === undefined) feed.early.push(step);
    else publishAll(room, feed, step(feed.sequence));
  }

  function publishAll(room: string, feed: Feed, frames: readonly RoomFrame[]): void {
    for (const frame of frames) publish(room, feed, frame);
  }

  function publish(room: string, feed: Feed, frame: RoomFrame): void {
    // Most readers were there from the beginning; only then is it worth to look for what some of them may not see.
    if (feed.latestFrom === 1 || lowestReference(frame) >= feed.latestFrom) toTopic(room, feed, frame.body);
    else {
      flush(room, feed);
      for (const reader of feed.readers.values())
        if (reader.phase === "live") reader.socket.sendEvents(bodySeenFrom(frame, reader.from));
    }
    for (const reader of feed.held) keep(reader, frame);
    if (frame.membership) cutLeavers(room, feed, frame);
  }

  function toTopic(room: string, feed: Feed, body: Uint8Array): void {
    if (feed.gathered.length === 0 && now() >= feed.nextTurnAt) {
      options.publish(room, body);
      pace(feed);
      return;
    }
    feed.gathered.push(body);
    feed.timer ??= setTimeout(() => flush(room, feed), Math.max(0, feed.nextTurnAt - now()));
  }

  /** Publishes what was gathered; before anybody enters or leaves the topic, so that each gets what is theirs. */
  function flush(room: string, feed: Feed): void {
    clearTimeout(feed.timer);
    feed.timer = undefined;
    const gathered = feed.gathered;
    feed.gathered = [];
    for (const body of gathered) options.publish(room, body);
    if (gathered.length > 0) pace(feed);
  }

  function pace(feed: Feed): void {
    const paceMs = Math.min(feed.readers.size * paceMsPerReader, maxPaceMs);
    if (paceMs >= minPaceMs) feed.nextTurnAt = now() + paceMs;
  }

  function enterTopic(room: string, feed: Feed, socket: FeedSocket): void {
    flush(room, feed);
    socket.subscribe(room);
  }

  function leaveTopic(room: string, feed: Feed, socket: FeedSocket): void {
    flush(room, feed);
    socket.unsubscribe(room);
  }

  function keep(reader: FeedReader, frame: RoomFrame): void {
    reader.heldBytes += frame.body.byteLength;
    if (reader.heldBytes > maxHeldBytes) reader.held = [];
    else reader.held.push(frame);
  }

  /** In the tick of the removal, so that nothing published after it can reach who was removed. */
  function cutLeavers(room: string, feed: Feed, frame: RoomFrame): void {
    const last = eventsIn(frame).at(-1);
    const leave = new Set(last && membershipOf(last).leave);
    for (const reader of [...feed.readers.values()].filter(({ socket }) => leave.has(socket.user))) {
      const wasHeld = reader.phase === "held";
      detach(room, feed, reader);
      // Who is held hears of it when the events before it were sent.
      if (!wasHeld) reader.socket.left(room);
    }
  }

  function detach(room: string, feed: Feed, reader: FeedReader): void {
    if (reader.phase === "live") leaveTopic(room, feed, reader.socket);
    reader.phase = "gone";
    feed.readers.delete(reader.socket);
    feed.held.delete(reader);
    if (feed.readers.size === 0) close(room, feed);
  }

  function hold(socket: FeedSocket, room: string): Reader {
    const feed = feeds.get(room) ?? open(room);
    const known = feed.readers.get(socket);
    if (known?.phase === "live") leaveTopic(room, feed, socket);
    const since = feed.started.then(() => feed.sequence?.lastN ?? 0);
    since.catch(() => undefined);
    const fields = { phase: "held" as const, since, held: [], heldBytes: 0 };
    const reader = known ? Object.assign(known, fields) : { socket, room, from: 1, ...fields };
    feed.readers.set(socket, reader);
    feed.held.add(reader);
    return reader;
  }

  function release(given: Reader, s: number, from: number): void {
    const reader = given as FeedReader;
    const { socket, room } = reader;
    const feed = feeds.get(room);
    const overflows = reader.heldBytes > maxHeldBytes;
    if (!overflows)
      for (const frame of reader.held) if (frame.lastS > s) socket.sendEvents(bodySeenFrom(frameAfter(frame, s), from));
    reader.held = [];
    reader.from = from;
    if (reader.phase === "gone") socket.left(room);
    if (reader.phase !== "held" || feed === undefined) return;
    feed.held.delete(reader);
    if (overflows) {
      reader.phase = "stopped";
      socket.resync(room);
      return;
    }
    reader.phase = "live";
    feed.latestFrom = Math.max(feed.latestFrom, from);
    enterTopic(room, feed, socket);
  }

  return {
    hold,
    release,
    stop(given) {
      const reader = given as FeedReader;
      const feed = feeds.get(reader.room);
      if (reader.phase === "live" && feed !== undefined) leaveTopic(reader.room, feed, reader.socket);
      feed?.held.delete(reader);
      if (reader.phase === "live" || reader.phase === "held") reader.phase = "stopped";
      reader.held = [];
    },
    drop(given) {
      const reader = given as FeedReader;
      const feed = feeds.get(reader.room);
      if (feed?.readers.get(reader.socket) === reader) detach(reader.room, feed, reader);
      reader.phase = "gone";
    },
    live: (room, frame) => take(room, (sequence) => sequence.live(frame)),
    has: (room) => feeds.has(room),
    logged(event, n) {
      if (!feeds.has(event.r)) return;
      take(event.r, (sequence) => sequence.logged(event, n));
      // Who is removed must not get anything more; that does not wait for a live frame that may be lost.
      if (membershipOf(event).leave.length > 0) take(event.r, (sequence) => sequence.fill());
      else fresh.add(event.r);
    },
    sweep() {
      for (const room of overdue) take(room, (sequence) => sequence.fill());
      overdue = fresh;
      fresh = new Set();
    },
    headOf(room) {
      const feed = feeds.get(room);
      if (feed !== undefined) flush(room, feed);
      return feed?.sequence?.lastS;
    },
  };
}
