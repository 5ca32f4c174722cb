import { type PacedTopic, pacedTopic } from "./pacedTopic.ts";
import { bodySeenFrom, eventsIn, frameAfter, lowestReference, membershipOf, type RoomFrame } from "./roomFrame.ts";
import { type RoomSequence, roomSequence } from "./roomSequence.ts";

/** A socket as the feeds see it. */
export interface FeedSocket {
  readonly user: string;
  /** Bytes of events that are kept for it in all of its rooms, as the feeds count them. */
  heldBytes: number;
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
  /** The event that ended the membership; undefined while it lasts, and for who was dropped. */
  readonly goneAt: number | undefined;
  /** While it is held: resolves when the feed runs; the facts of the room must be as of this commit for nothing to be missing. */
  readonly since: Promise<number>;
  readonly feed: RoomFeed;
  /** The head of the room that its client was told last. */
  headTold: number | undefined;
}

/** What comes next of the room, from a live frame or from the log. */
export type FeedStep = (sequence: RoomSequence) => readonly RoomFrame[];

/** One room with local readers. */
export interface RoomFeed {
  /** The last event published; undefined before the first reader's feed runs. */
  head(): number | undefined;
  take(step: FeedStep): void;
  /** From now on keeps the room's events for this socket, whatever it was before; ends with `release`, `stop` or `drop`. */
  hold(socket: FeedSocket): Reader;
  /**
   * Sends what was kept after event `s`, and lets it run live. Its history begins at event `from`. What the log has up to `s` goes out
   * to the others before, so that no live frame that is late brings it again.
   */
  release(reader: Reader, s: number, from: number): void;
  /** Sends it nothing more until it is held again. Who is held is told with its release that it has to resume. */
  stop(reader: Reader): void;
  /** Stops all readers, and tells those that are not held that something was lost. */
  interrupt(): void;
  drop(reader: Reader): void;
}

export interface RoomFeedOptions {
  readonly room: string;
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
  /** Sends to every socket that subscribed to the topic of the room. */
  publish(body: Uint8Array): void;
  /** The number of the room's last event, as of everything that `take` was given from the log before. */
  readonly head: Promise<number>;
  /** The last reader is gone, or the feed could not begin: it is of no more use. */
  onEnd(): void;
}

/** Bytes of events that are kept for one socket; beyond that it has to resume the room. */
export const maxHeldBytes = 1024 * 1024;

/** For who is not held. There are hundreds of thousands of those, so they have no objects of their own beside the reader. */
const nothingHeld: RoomFrame[] = [];
const notHeld = Promise.resolve(0);

/** What the feed keeps of a reader. */
interface OwnReader extends Reader {
  phase: Reader["phase"];
  goneAt: number | undefined;
  since: Promise<number>;
  /** The first event of its history. */
  from: number;
  held: RoomFrame[];
  heldBytes: number;
  /** Something was not kept: what it gets after its release would come after a hole. */
  mustResume: boolean;
}

export function roomFeed(options: RoomFeedOptions): RoomFeed {
  const { room } = options;
  const readers = new Map<FeedSocket, OwnReader>();
  const held = new Set<OwnReader>();
  const topic: PacedTopic = pacedTopic(options.publish, () => readers.size, options.now);
  let sequence: RoomSequence | undefined;
  /** What came before the sequence was known. */
  let early: FeedStep[] = [];
  /** The latest beginning of a live reader's history. */
  let latestFrom = 1;
  const started = options.head.then(begin);
  // Whoever waits for it is told by `since`.
  started.catch(end);

  function begin(s: number): void {
    sequence = roomSequence(s);
    for (const step of early) publishAll(step(sequence));
    early = [];
  }

  function end(): void {
    topic.flush();
    options.onEnd();
  }

  function publishAll(frames: readonly RoomFrame[]): void {
    for (const frame of frames) publish(frame);
  }

  function publish(frame: RoomFrame): void {
    // Most readers were there from the beginning; only then is it worth to look for what some of them may not see.
    const isForAll = latestFrom === 1 || (frame.firstS >= latestFrom && lowestReference(frame) >= latestFrom);
    if (isForAll) topic.publish(frame.body);
    else {
      topic.flush();
      for (const reader of readers.values()) if (reader.phase === "live") sendAfter(reader, frame, 0);
    }
    for (const reader of held) keep(reader, frame);
    if (frame.membership) cutLeavers(frame);
  }

  function keep(reader: OwnReader, frame: RoomFrame): void {
    const bytes = frame.body.byteLength;
    if (reader.mustResume) return;
    if (reader.socket.heldBytes + bytes > maxHeldBytes) {
      breakOff(reader);
      return;
    }
    reader.held.push(frame);
    reader.heldBytes += bytes;
    reader.socket.heldBytes += bytes;
  }

  function forgetHeld(reader: OwnReader): void {
    reader.socket.heldBytes -= reader.heldBytes;
    reader.held = nothingHeld;
    reader.heldBytes = 0;
  }

  function breakOff(reader: OwnReader): void {
    forgetHeld(reader);
    reader.mustResume = true;
  }

  /** In the tick of the removal, so that nothing published after it can reach who was removed. */
  function cutLeavers(frame: RoomFrame): void {
    const last = eventsIn(frame).at(-1);
    const leave = new Set(last && membershipOf(last).leave);
    for (const reader of [...readers.values()].filter(({ socket }) => leave.has(socket.user))) {
      const wasHeld = reader.phase === "held";
      reader.goneAt = frame.lastS;
      detach(reader);
      // Who is held hears of it when the events before it were sent.
      if (!wasHeld) reader.socket.left(room);
    }
  }

  function detach(reader: OwnReader): void {
    leaveTopic(reader);
    reader.phase = "gone";
    readers.delete(reader.socket);
    held.delete(reader);
    if (readers.size === 0) end();
  }

  function leaveTopic({ phase, socket }: OwnReader): void {
    if (phase !== "live") return;
    topic.flush();
    socket.unsubscribe(room);
  }

  function sendHeld(reader: OwnReader, s: number): void {
    for (const frame of reader.held) sendAfter(reader, frame, s);
    forgetHeld(reader);
  }

  /** Sends what of the frame comes after `s` and belongs to the reader's history. */
  function sendAfter({ socket, from }: OwnReader, frame: RoomFrame, s: number): void {
    const last = Math.max(s, from - 1);
    if (frame.lastS > last) socket.sendEvents(bodySeenFrom(frameAfter(frame, last), from));
  }

  const feed: RoomFeed = {
    head() {
      topic.flush();
      return sequence?.lastS;
    },
    take(step) {
      if (sequence === undefined) early.push(step);
      else publishAll(step(sequence));
    },
    hold(socket) {
      const known = readers.get(socket);
      if (known !== undefined) {
        leaveTopic(known);
        forgetHeld(known);
      }
      const since = started.then(() => sequence?.lastN ?? 0);
      since.catch(() => undefined);
      const fields = { phase: "held" as const, since, held: [], heldBytes: 0, mustResume: false };
      const reader: OwnReader =
        known === undefined
          ? { socket, room, feed, from: 1, goneAt: undefined, headTold: undefined, ...fields }
          : Object.assign(known, fields);
      readers.set(socket, reader);
      held.add(reader);
      return reader;
    },
    release(given, s, from) {
      const reader = given as OwnReader;
      if (sequence !== undefined && s > sequence.lastS) publishAll(sequence.fill());
      reader.from = from;
      sendHeld(reader, s);
      if (reader.phase === "gone") reader.socket.left(room);
      if (reader.phase !== "held") return;
      held.delete(reader);
      reader.since = notHeld;
      if (reader.mustResume) {
        reader.phase = "stopped";
        reader.socket.resync(room);
        return;
      }
      reader.phase = "live";
      latestFrom = Math.max(latestFrom, from);
      topic.flush();
      reader.socket.subscribe(room);
    },
    stop(given) {
      const reader = given as OwnReader;
      if (reader.phase === "held") breakOff(reader);
      else {
        leaveTopic(reader);
        if (reader.phase === "live") reader.phase = "stopped";
        forgetHeld(reader);
      }
    },
    interrupt() {
      for (const reader of [...readers.values()]) {
        this.stop(reader);
        if (reader.phase === "stopped") reader.socket.resync(room);
      }
    },
    drop(given) {
      const reader = given as OwnReader;
      if (readers.get(reader.socket) === reader) detach(reader);
      forgetHeld(reader);
      reader.phase = "gone";
    },
  };
  return feed;
}
