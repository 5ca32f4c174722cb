import { PacedTopic } from "./pacedTopic.ts";
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
  /** While it is held: the event that ended the membership; undefined while that lasts. */
  readonly goneAt: number | undefined;
  /** While it is held: resolves when the feed runs; the facts of the room must be as of this commit for nothing to be missing. */
  readonly since: Promise<number>;
  readonly feed: RoomFeed;
  /** The head of the room that its client was told last. */
  headTold: number | undefined;
}

/** What comes next of the room, from a live frame or from the log. */
export type FeedStep = (sequence: RoomSequence) => readonly RoomFrame[];

/** What all rooms have in common. */
export interface RoomFeedOptions {
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
  /** Sends to every socket that subscribed to the topic of the room. */
  publish(room: string, body: Uint8Array): void;
  /** The last reader is gone, or the feed could not begin: it is of no more use. */
  onEnd(feed: RoomFeed): void;
}

/** Bytes of events that are kept for one socket; beyond that it has to resume the room. */
export const maxHeldBytes = 1024 * 1024;

/** What a reader needs only while it is held. */
interface Holding {
  readonly since: Promise<number>;
  goneAt: number | undefined;
  frames: RoomFrame[];
  bytes: number;
  /** Something was not kept: what it gets after its release would come after a hole. */
  mustResume: boolean;
}

const notHeld = Promise.resolve(0);

/** What the feed keeps of a reader. There are hundreds of thousands of these. */
class OwnReader implements Reader {
  readonly socket: FeedSocket;
  readonly feed: RoomFeed;
  phase: Reader["phase"] = "held";
  headTold: number | undefined;
  /** The first event of its history. */
  from = 1;
  holding: Holding | undefined;

  constructor(socket: FeedSocket, feed: RoomFeed) {
    this.socket = socket;
    this.feed = feed;
  }

  get room(): string {
    return this.feed.room;
  }

  get goneAt(): number | undefined {
    return this.holding?.goneAt;
  }

  get since(): Promise<number> {
    return this.holding?.since ?? notHeld;
  }
}

/** One room with local readers. */
export class RoomFeed {
  readonly room: string;
  readonly #options: RoomFeedOptions;
  readonly #readers = new Set<OwnReader>();
  /** Those that are held; undefined while nobody is. */
  #held: Set<OwnReader> | undefined;
  readonly #topic: PacedTopic;
  #sequence: RoomSequence | undefined;
  /** What came before the sequence was known. */
  #early: FeedStep[] | undefined;
  /** The latest beginning of a live reader's history. */
  #latestFrom = 1;
  readonly #started: Promise<void>;

  /** `head`: the number of the room's last event, as of everything that `take` was given from the log before. */
  constructor(room: string, head: Promise<number>, options: RoomFeedOptions) {
    this.room = room;
    this.#options = options;
    this.#topic = new PacedTopic(
      (body) => options.publish(room, body),
      () => this.#readers.size,
      options.now,
    );
    this.#started = head.then((s) => this.#begin(s));
    // Whoever waits for it is told by `since`.
    this.#started.catch(() => this.#end());
  }

  /** The last event published; undefined before the first reader's feed runs. */
  head(): number | undefined {
    this.#topic.flush();
    return this.#sequence?.lastS;
  }

  take(step: FeedStep): void {
    if (this.#sequence !== undefined) this.#publishAll(step(this.#sequence));
    else if (this.#early === undefined) this.#early = [step];
    else this.#early.push(step);
  }

  /**
   * From now on keeps the room's events for this socket; ends with `release`, `stop` or `drop`. `before`: what the socket got here last, whatever
   * became of that.
   */
  hold(socket: FeedSocket, before?: Reader): Reader {
    const known = before as OwnReader | undefined;
    const reader = known !== undefined && this.#readers.has(known) ? known : new OwnReader(socket, this);
    this.#leaveTopic(reader);
    forgetHeld(reader);
    const since = this.#started.then(() => this.#sequence?.lastN ?? 0);
    since.catch(() => undefined);
    reader.phase = "held";
    reader.holding = { since, goneAt: undefined, frames: [], bytes: 0, mustResume: false };
    this.#readers.add(reader);
    this.#held ??= new Set();
    this.#held.add(reader);
    return reader;
  }

  /**
   * Sends what was kept after event `s`, and lets it run live. Its history begins at event `from`. What the log has up to `s` goes out
   * to the others before, so that no live frame that is late brings it again.
   */
  release(given: Reader, s: number, from: number): void {
    const reader = given as OwnReader;
    if (this.#sequence !== undefined && s > this.#sequence.lastS) this.#publishAll(this.#sequence.fill());
    reader.from = from;
    for (const frame of reader.holding?.frames ?? []) sendAfter(reader, frame, s);
    const mustResume = reader.holding?.mustResume;
    forgetHeld(reader);
    if (reader.phase === "gone") reader.socket.left(this.room);
    if (reader.phase !== "held") return;
    this.#noLongerHeld(reader);
    if (mustResume) {
      reader.phase = "stopped";
      reader.socket.resync(this.room);
      return;
    }
    reader.phase = "live";
    this.#latestFrom = Math.max(this.#latestFrom, from);
    this.#topic.flush();
    reader.socket.subscribe(this.room);
  }

  /** Sends it nothing more until it is held again. Who is held is told with its release that it has to resume. */
  stop(given: Reader): void {
    const reader = given as OwnReader;
    if (reader.phase === "held") breakOff(reader);
    else {
      this.#leaveTopic(reader);
      if (reader.phase === "live") reader.phase = "stopped";
      forgetHeld(reader);
    }
  }

  /** Stops all readers, and tells those that are not held that something was lost. */
  interrupt(): void {
    for (const reader of [...this.#readers]) {
      this.stop(reader);
      if (reader.phase === "stopped") reader.socket.resync(this.room);
    }
  }

  drop(given: Reader): void {
    const reader = given as OwnReader;
    if (this.#readers.has(reader)) this.#detach(reader);
    forgetHeld(reader);
    reader.phase = "gone";
  }

  #begin(s: number): void {
    this.#sequence = roomSequence(s);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const step of early) this.#publishAll(step(this.#sequence));
  }

  #end(): void {
    this.#topic.flush();
    this.#options.onEnd(this);
  }

  #publishAll(frames: readonly RoomFrame[]): void {
    for (const frame of frames) this.#publish(frame);
  }

  #publish(frame: RoomFrame): void {
    // Most readers were there from the beginning; only then is it worth to look for what some of them may not see.
    const from = this.#latestFrom;
    const isForAll = from === 1 || (frame.firstS >= from && lowestReference(frame) >= from);
    if (isForAll) this.#topic.publish(frame.body);
    else {
      this.#topic.flush();
      for (const reader of this.#readers) if (reader.phase === "live") sendAfter(reader, frame, 0);
    }
    for (const reader of this.#held ?? []) keep(reader, frame);
    if (frame.membership) this.#cutLeavers(frame);
  }

  /** In the tick of the removal, so that nothing published after it can reach who was removed. */
  #cutLeavers(frame: RoomFrame): void {
    const last = eventsIn(frame).at(-1);
    const leave = new Set(last && membershipOf(last).leave);
    for (const reader of [...this.#readers].filter(({ socket }) => leave.has(socket.user))) {
      const wasHeld = reader.phase === "held";
      if (reader.holding !== undefined) reader.holding.goneAt = frame.lastS;
      this.#detach(reader);
      // Who is held hears of it when the events before it were sent.
      if (!wasHeld) reader.socket.left(this.room);
    }
  }

  #detach(reader: OwnReader): void {
    this.#leaveTopic(reader);
    reader.phase = "gone";
    this.#readers.delete(reader);
    this.#noLongerHeld(reader);
    if (this.#readers.size === 0) this.#end();
  }

  #leaveTopic({ phase, socket }: OwnReader): void {
    if (phase !== "live") return;
    this.#topic.flush();
    socket.unsubscribe(this.room);
  }

  #noLongerHeld(reader: OwnReader): void {
    this.#held?.delete(reader);
    if (this.#held?.size === 0) this.#held = undefined;
  }
}

function keep(reader: OwnReader, frame: RoomFrame): void {
  const { holding, socket } = reader;
  const bytes = frame.body.byteLength;
  if (holding === undefined || holding.mustResume) return;
  if (socket.heldBytes + bytes > maxHeldBytes) {
    breakOff(reader);
    return;
  }
  holding.frames.push(frame);
  holding.bytes += bytes;
  socket.heldBytes += bytes;
}

function forgetHeld(reader: OwnReader): void {
  forgetFrames(reader);
  reader.holding = undefined;
}

function breakOff(reader: OwnReader): void {
  forgetFrames(reader);
  if (reader.holding !== undefined) reader.holding.mustResume = true;
}

function forgetFrames({ holding, socket }: OwnReader): void {
  if (holding === undefined) return;
  socket.heldBytes -= holding.bytes;
  holding.frames = [];
  holding.bytes = 0;
}

/** Sends what of the frame comes after `s` and belongs to the reader's history. */
function sendAfter({ socket, from }: OwnReader, frame: RoomFrame, s: number): void {
  const last = Math.max(s, from - 1);
  if (frame.lastS > last) socket.sendEvents(bodySeenFrom(frameAfter(frame, last), from));
}
