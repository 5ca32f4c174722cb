import type { ClientEvent } from "@connect-hub/domain/kernel";
import { type FeedSocket, type FeedStep, type Reader, RoomFeed, type RoomFeedOptions } from "./roomFeed.ts";
import { membershipOf, type RoomFrame } from "./roomFrame.ts";

export interface RoomFeedsOptions {
  /** A clock in milliseconds that never goes back; the process's if left out. */
  readonly now?: () => number;
  /** Sends to every socket that subscribed to the topic of the room. */
  publish(room: string, body: Uint8Array): void;
  /** Begins to receive the room's live frames, which go to `live`. */
  enter(room: string): void;
  /** Ends that. */
  leave(room: string): void;
  /** The number of the room's last event, as of every event that `logged` was given before. */
  headOf(room: string): Promise<number>;
}

/** The rooms with local readers, and who reads them. */
export interface RoomFeeds {
  /** As `RoomFeed.hold`. */
  hold(socket: FeedSocket, room: string, before?: Reader): Reader;
  /** As `RoomFeed.release`, for a reader of any room; so are `stop` and `drop`. */
  release(reader: Reader, s: number, from: number): void;
  stop(reader: Reader): void;
  drop(reader: Reader): void;
  live(room: string, frame: RoomFrame): void;
  /** Stops the room for all who read it; a resume tells them whether it can be had again. */
  interrupt(room: string): void;
  /** How many rooms somebody here reads. */
  readonly count: number;
  /** Whether anybody here reads the room. */
  has(room: string): boolean;
  /** Each event of the log, in order. */
  logged(event: ClientEvent, n: number): void;
  /** Publishes what the log had at the last sweep already and no live frame has brought since. */
  sweep(): void;
  /** The last event published of a room; undefined when nobody here reads it. */
  headOf(room: string): number | undefined;
}

export function roomFeeds(options: RoomFeedsOptions): RoomFeeds {
  const now = options.now ?? (() => performance.now());
  const feeds = new Map<string, RoomFeed>();
  /** Rooms with events in the log since the last sweep, and in the sweep before. */
  let fresh = new Set<string>();
  let overdue = new Set<string>();

  const ofAll: RoomFeedOptions = {
    now,
    publish: options.publish,
    onEnd(feed) {
      // A feed that could not begin ends once more when its readers leave it, as it does when all have left before it began.
      if (feeds.get(feed.room) !== feed) return;
      feeds.delete(feed.room);
      options.leave(feed.room);
    },
  };

  function open(room: string): RoomFeed {
    options.enter(room);
    const feed = new RoomFeed(room, options.headOf(room), ofAll);
    feeds.set(room, feed);
    return feed;
  }

  const take = (room: string, step: FeedStep): void => feeds.get(room)?.take(step);
  const fill: FeedStep = (sequence) => sequence.fill();

  return {
    get count() {
      return feeds.size;
    },
    hold(socket, room, before) {
      return (feeds.get(room) ?? open(room)).hold(socket, before);
    },
    release: (reader, s, from) => reader.feed.release(reader, s, from),
    stop: (reader) => reader.feed.stop(reader),
    drop: (reader) => reader.feed.drop(reader),
    interrupt: (room) => feeds.get(room)?.interrupt(),
    live: (room, frame) => take(room, (sequence) => sequence.live(frame)),
    has: (room) => feeds.has(room),
    logged(event, n) {
      take(event.r, (sequence) => sequence.logged(event, n));
      // Who is removed must not get anything more; that does not wait for a live frame that may be lost.
      if (membershipOf(event).leave.length > 0) take(event.r, fill);
      else if (feeds.has(event.r)) fresh.add(event.r);
    },
    sweep() {
      for (const room of overdue) take(room, fill);
      overdue = fresh;
      fresh = new Set();
    },
    headOf: (room) => feeds.get(room)?.head(),
  };
}
