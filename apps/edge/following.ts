import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import {
  type Commit,
  clientEventOf,
  type DomainEvent,
  decodeBeat,
  EpochOver,
  epoch8,
  type FactSource,
  factRef,
  followLane,
  type LaneFollower,
  type ParkedMark,
  subjects,
  type Vault,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { contextOf, type LaneId } from "@connect-hub/domain/values";
import {
  type LiveMessage,
  listLanes,
  liveHearer,
  type NatsLink,
  openLane,
  subscribeLive,
  type Writers,
  writers,
} from "@connect-hub/jetstream";
import { untilOver } from "@connect-hub/runtime";
import type { Logger } from "pino";
import { type EdgeLanes, edgeLanes, knowFacts, rowAt } from "./edgeLanes.ts";
import type { Lease } from "./lease.ts";
import { readLiveFrame } from "./liveFrame.ts";
import { type RecentEntrants, recentEntrants } from "./recentEntrants.ts";
import { type RoomFeeds, roomFeeds } from "./roomFeeds.ts";
import { roomInterest } from "./roomInterest.ts";
import { endedBy } from "./sessions.ts";
import type { Sockets } from "./sockets.ts";

/** What this edge knows of the log, as it goes on. */
export interface Following {
  readonly lanes: EdgeLanes;
  readonly feeds: RoomFeeds;
  readonly recent: RecentEntrants;
  readonly writers: Writers;
  /** Resolves when a lane is in another epoch: nothing that is known here counts any more. */
  readonly over: Promise<Error>;
  close(): Promise<void>;
}

export interface FollowingOptions {
  readonly link: NatsLink;
  readonly prefix: string;
  readonly archiveDir?: string | undefined;
  readonly source: FactSource;
  readonly vault: Vault;
  readonly sockets: Sockets;
  readonly lease: Lease;
  readonly log: Logger;
  /** Sends to the sockets in a room's topic. */
  publish(room: string, body: Uint8Array): void;
  /** Another writer took over; the former one appends no more. */
  onNewWriter(lane: LaneId, former: string): void;
  /** A user with sockets here came into a room. */
  onEnter(user: string, room: string): void;
}

/** How long an event of the log waits for its live frame: at least once, at most twice this. */
const sweepMs = 60;
const pruneMs = 10_000;

/** Follows all lanes. Throws when there are none, or when the log, the tables or the vault can't be reached. */
export async function startFollowing(options: FollowingOptions): Promise<Following> {
  const { link, prefix, source, vault, log } = options;
  const names = subjects(prefix);
  const recent = recentEntrants(() => performance.now());
  const known = writers(() => performance.now(), options.onNewWriter);
  const lanes = new LateLanes(options.lease);
  const { over, end } = untilOver();

  function hear(message: LiveMessage): void {
    const room = message.subject.slice(names.liveRoom("").length);
    if (!feeds.has(room)) return;
    const live = readLiveFrame(message);
    const { lane } = lanes.get().ofRoom(room);
    // A writer of another epoch may wake up with a frame in its hands.
    if (live?.lane !== lane.id || live.epoch8 !== epoch8(lane.epoch)) return;
    if (live.term >= known.termOf(lane.id)) feeds.live(room, live.frame);
  }

  const hearRoom = liveHearer(link, hear);
  const interest = roomInterest({
    now: () => performance.now(),
    subscribe: (room) => hearRoom(names.liveRoom(room === "all" ? "*" : room)),
  });
  const feeds = roomFeeds({
    publish: options.publish,
    enter: interest.enter,
    leave: interest.leave,
    async headOf(room) {
      const follower = lanes.get().ofRoom(room);
      await knowFacts(follower, [factRef("rooms", room)]);
      return Number(rowAt(follower.view, factRef("rooms", room))?.s ?? 0);
    },
  });

  function onRooms(commit: Commit, events: readonly DomainEvent[]): void {
    onTakeOver(commit);
    for (const event of events) {
      const room = event.subject.id;
      if (feeds.has(room)) {
        const shown = clientEventOf(event, commit.at, roomModel);
        if (shown !== undefined) feeds.logged(shown, commit.n);
      }
      for (const user of roomModel.events[event.type]?.membership?.(event).enter ?? []) {
        recent.entered(user, room, commit.n);
        options.onEnter(user, room);
      }
    }
  }

  function onAccounts(commit: Commit, events: readonly DomainEvent[]): void {
    onTakeOver(commit);
    for (const event of events) {
      const ended = endedBy(event);
      if (ended === undefined) continue;
      if ("session" in ended) options.sockets.endSession(ended.session, ended.name);
      else for (const connection of options.sockets.ofUser(ended.user)) connection.end(ended.name);
    }
  }

  /** Nobody knows any more who is in the room, or whether the account's sessions hold. */
  function onParked(mark: ParkedMark): void {
    const { kind, id, from, type, reason } = mark;
    log.error({ kind, id, from, type, reason }, "parked: this subject can't be read until it is mended");
    if (kind === "room") feeds.interrupt(id);
    if (kind === "account") for (const connection of options.sockets.ofUser(id)) connection.end("Parked");
  }

  function onTakeOver(commit: Commit): void {
    if (commit.entries.length === 0) known.heard(commit);
  }

  async function follow(id: LaneId): Promise<LaneFollower> {
    const context = contextOf(id);
    const lane = await openLane(link, { prefix, id, archiveDir: options.archiveDir });
    return followLane({
      lane,
      source,
      vault,
      ...by[context],
      onParked,
      onTrouble(error) {
        log.warn({ err: error, lane: id }, "the follower tries again");
        if (error instanceof EpochOver) end(error);
      },
    });
  }

  const by = {
    accounts: { model: accountModel, onCommit: onAccounts },
    rooms: { model: roomModel, onCommit: onRooms },
    content: { model: contentModel, onCommit: onTakeOver },
  };
  const followers = await Promise.all((await listLanes(link, prefix)).map(({ lane }) => follow(lane)));
  lanes.set(followers);
  const beats = followers.map(({ lane }) =>
    subscribeLive(link, names.beat(lane.id), ({ body }) => {
      const beat = decodeBeat(body);
      if (beat?.epoch === lane.epoch) known.heard(beat);
    }),
  );
  const sweeping = setInterval(() => {
    feeds.sweep();
    interest.sweep();
  }, sweepMs);
  const pruning = setInterval(() => recent.prune((room) => lanes.get().ofRoom(room).view.floor), pruneMs);
  return {
    lanes: lanes.get(),
    feeds,
    recent,
    writers: known,
    over,
    async close() {
      clearInterval(sweeping);
      clearInterval(pruning);
      for (const beat of beats) beat.unsubscribe();
      interest.close();
      await Promise.all(followers.map((follower) => follower.close()));
    },
  };
}

/** The lanes, which are there only once all followers run; nobody asks for them before a socket is open. */
class LateLanes {
  #lanes: EdgeLanes | undefined;
  readonly #lease: Lease;

  constructor(lease: Lease) {
    this.#lease = lease;
  }

  set(followers: readonly LaneFollower[]): void {
    const accounts = followers.find(({ lane }) => lane.id === "accounts.0");
    const rooms = followers.filter(({ lane }) => lane.id.startsWith("rooms."));
    const content = followers.find(({ lane }) => lane.id === "content.0");
    if (accounts === undefined || content === undefined || rooms.length === 0)
      throw new Error(
        "there are no lanes yet: start a box once with these settings, which makes them: npm run hub -- up",
      );
    this.#lanes = edgeLanes(accounts, rooms, content, this.#lease);
  }

  get(): EdgeLanes {
    if (this.#lanes === undefined) throw new Error("the lanes are not followed yet");
    return this.#lanes;
  }
}
