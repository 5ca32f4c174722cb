import { type Commit, decodeCommit } from "./commit.ts";
import type { ContextModel, DomainEvent } from "./event.ts";
import { factsVersionOf } from "./factsVersion.ts";
import { FactView } from "./factView.ts";
import type { ParkedMark } from "./parked.ts";
import { readCommit } from "./parkingFold.ts";
import { pause } from "./pause.ts";
import type { FactSource, Lane, StoredCommit, Vault } from "./ports.ts";
import { sealedKeyIds } from "./sealing.ts";

/** An event of a room in the tail. */
export interface TailEvent {
  readonly n: number;
  readonly at: string;
  readonly event: DomainEvent;
}

export interface LaneFollowerOptions {
  readonly lane: Lane;
  readonly source: FactSource;
  readonly vault: Vault;
  readonly model: ContextModel;
  /** Called for each commit, in order, after the view has it; `events` are open, those that can't be applied left out. Must not throw. */
  onCommit?(commit: Commit, events: readonly DomainEvent[]): void;
  /** Called when the rows of a subject can't be had any more: before `onCommit` is, if one of its events is why. Must not throw. */
  onParked?(mark: ParkedMark): void;
  /** Told of each failure; the follower goes on by itself. */
  onTrouble?(error: unknown): void;
}

/** A lane as a reader keeps it: its facts and the events since the projector's checkpoint, by room. */
export interface LaneFollower {
  readonly lane: Lane;
  readonly view: FactView;
  /** Waits until the view has commit `n`; false when `timeoutMs` passed first. */
  reached(n: number, timeoutMs: number): Promise<boolean>;
  /**
   * The events of a room in commits after `n`, in order. Undefined when the tail begins later than that: read the rows
   * again, they are further by now.
   */
  roomTail(room: string, n: number): readonly TailEvent[] | undefined;
  /** All events in the tail, in order: what the rows at `view.floor` don't have yet. */
  tail(): Iterable<TailEvent>;
  close(): Promise<void>;
}

/** Follows a lane from the projector's checkpoint on, for ever. Resolves when it has the head as it was at the call. */
export async function followLane(options: LaneFollowerOptions): Promise<LaneFollower> {
  const { lane, source, model, onTrouble } = options;
  const stop = new AbortController();
  const { checkpoint, parked } = await source.load(lane.id, []);
  const head = await lane.lastNumber();
  const ours = { epoch: lane.epoch, past: lane.past ?? [], factsVersion: factsVersionOf(model) };
  const onParked = (mark: ParkedMark): void => options.onParked?.(mark);
  const view = new FactView(checkpoint, { ...ours, lane: lane.id, source, tables: model.tables, parked, onParked });
  const tail = new RoomTail();
  const waiting = new Set<() => void>();
  const running = run();
  const floorTimer = setInterval(() => void moveFloor(), floorPollMs);
  const ageTimer = setInterval(() => view.age(), ageMs);

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        for await (const batch of lane.read(view.head + 1, stop.signal)) {
          await take(batch);
          for (const wake of waiting) wake();
        }
      } catch (error) {
        onTrouble?.(error);
        await pause(retryMs, stop.signal);
      }
    }
  }

  async function take(batch: readonly StoredCommit[]): Promise<void> {
    const commits = batch.map(({ bytes }) => decodeCommit(bytes));
    const keys = await options.vault.byId(sealedKeyIds(commits, model));
    for (const [index, commit] of commits.entries()) {
      const { changes, events, parked } = readCommit(commit, model, keys);
      view.commit(commit.n, changes, { events: events.length, bytes: batch[index]?.bytes.byteLength ?? 0 }, parked);
      if (commit.n > view.floor) for (const event of events) tail.push({ n: commit.n, at: commit.at, event });
      options.onCommit?.(commit, events);
    }
  }

  async function moveFloor(): Promise<void> {
    if (view.floor < view.head || view.hasParked) await view.load([]).catch((error) => onTrouble?.(error));
    tail.dropTo(view.floor);
  }

  function reached(n: number, timeoutMs: number): Promise<boolean> {
    if (view.head >= n) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        waiting.delete(check);
        resolve(view.head >= n);
      };
      const check = (): void => {
        if (view.head >= n) done();
      };
      const timer = setTimeout(done, timeoutMs);
      waiting.add(check);
    });
  }

  await reached(head, catchUpMs);
  return {
    lane,
    view,
    reached,
    roomTail: (room, n) => (n < view.floor ? undefined : tail.ofRoom(room).filter((event) => event.n > n)),
    tail: () => tail.all(),
    async close() {
      clearInterval(floorTimer);
      clearInterval(ageTimer);
      stop.abort();
      for (const wake of waiting) wake();
      await running;
    },
  };
}

/** The events of the tail in order, with an index by room. */
class RoomTail {
  #all: TailEvent[] = [];
  readonly #byRoom = new Map<string, TailEvent[]>();

  push(event: TailEvent): void {
    this.#all.push(event);
    if (event.event.s === undefined) return;
    const room = this.#byRoom.get(event.event.subject.id);
    if (room) room.push(event);
    else this.#byRoom.set(event.event.subject.id, [event]);
  }

  dropTo(floor: number): void {
    const keep = firstAfter(this.#all, floor);
    if (keep === 0) return;
    const rooms = new Set(this.#all.slice(0, keep).map(({ event }) => event.subject.id));
    this.#all = this.#all.slice(keep);
    for (const id of rooms) {
      const room = this.#byRoom.get(id) ?? [];
      const rest = room.slice(firstAfter(room, floor));
      if (rest.length === 0) this.#byRoom.delete(id);
      else this.#byRoom.set(id, rest);
    }
  }

  ofRoom(room: string): readonly TailEvent[] {
    return this.#byRoom.get(room) ?? [];
  }

  all(): Iterable<TailEvent> {
    return this.#all;
  }
}

function firstAfter(events: readonly TailEvent[], n: number): number {
  const index = events.findIndex((event) => event.n > n);
  return index === -1 ? events.length : index;
}

const floorPollMs = 250;
/** Most rows are asked for once, by somebody who then is idle; those that each beat of a client asks for stay. */
const ageMs = 15_000;
const retryMs = 200;
const catchUpMs = 30_000;
