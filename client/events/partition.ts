import { createHash } from "node:crypto";
import { pause, type Subject } from "@connect-hub/domain/kernel";
import { atStart, type LanePosition, ServiceError, type ServiceEvent } from "@connect-hub/domain/services";
import type { LaneId } from "@connect-hub/domain/values";
import { bySubject, type DeliverOptions, deliver, forEachSideBySide, nameOf } from "./deliver.ts";
import { type Mark, type Marks, markOf } from "./parking.ts";
import type { EventSource, SourceBatch } from "./source.ts";

/** Which part of a durable's work a subject belongs to. Part of what is kept: never change it. */
export function partitionOf(subject: Subject, partitions: number): number {
  if (partitions === 1) return 0;
  return createHash("sha256").update(nameOf(subject)).digest().readUInt32BE(0) % partitions;
}

export interface PartitionOptions extends Omit<DeliverOptions, "signal" | "mayPark" | "onTrouble"> {
  readonly source: EventSource;
  readonly marks: Marks;
  readonly partition: number;
  readonly partitions: number;
  readonly lanes: ReadonlyMap<LaneId, readonly string[]>;
  readonly positions: ReadonlyMap<LaneId, LanePosition>;
  onTrouble(error: unknown, lane: LaneId): void;
}

/** So many subjects may wait; beyond that it is the handler that is broken, and all wait for it. */
const maxParked = 1_000;
const retryMs = 500;

/** One part of a durable's work, while this instance holds it. */
export class Partition {
  readonly positions: Map<LaneId, LanePosition>;
  /** Why a lane can't be read on; it is not tried again. */
  failed: ServiceError | undefined;
  readonly #options: PartitionOptions;
  readonly #closing = new AbortController();
  readonly #parked = new Map<string, Mark>();
  readonly #turns = new Map<LaneId, Promise<void>>();
  readonly #loaded: Promise<void>;
  readonly #running: Promise<unknown>;

  constructor(options: PartitionOptions) {
    this.#options = options;
    this.positions = new Map(options.positions);
    this.#loaded = this.#load();
    this.#running = this.#loaded.then(() => this.#run());
  }

  /** Stops; resolves when no handler is running any more. What is being handled is not done. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("closed"));
    await this.#running;
    await Promise.allSettled(this.#turns.values());
  }

  /**
   * Reads the events of a parked subject again, from the one that could not be handled. False when it is not parked here. Throws
   * when it was broken off by `close`: it has to be asked for again.
   */
  async retry(subject: Subject): Promise<boolean> {
    await this.#loaded;
    const mark = this.#parked.get(nameOf(subject));
    if (mark !== undefined) await this.#tryAgain(mark);
    if (mark === undefined || this.#parked.has(nameOf(subject))) this.#closing.signal.throwIfAborted();
    return mark !== undefined;
  }

  async #tryAgain(mark: Mark): Promise<void> {
    const done = this.#at(mark.lane);
    if (!(await this.#replay(mark, mark.after, done))) return;
    await this.#inTurn(mark.lane, async () => {
      // Nothing else of the lane is handled meanwhile, so the subject is as far as all others.
      if (!(await this.#replay(mark, done, this.#at(mark.lane)))) return;
      await this.#options.marks.drop(this.#options.partition, mark.subject);
      this.#parked.delete(nameOf(mark.subject));
    });
  }

  async #load(): Promise<void> {
    const { signal } = this.#closing;
    const { marks, partition } = this.#options;
    while (!signal.aborted) {
      try {
        for (const mark of await marks.all(partition)) this.#parked.set(nameOf(mark.subject), mark);
        return;
      } catch {
        await pause(retryMs, signal);
      }
    }
  }

  async #run(): Promise<void> {
    await Promise.all([...this.#options.lanes].map(([lane, types]) => this.#follow(lane, types)));
  }

  async #follow(lane: LaneId, types: readonly string[]): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const after = this.#at(lane);
        for await (const batch of this.#options.source.read(lane, { after, types, signal })) {
          await this.#inTurn(lane, () => this.#handle(lane, batch));
          if (signal.aborted) return;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ServiceError && !error.retryable) this.failed = error;
        this.#options.onTrouble(error, lane);
        if (this.failed !== undefined) return;
        await pause(retryMs, signal);
      }
    }
  }

  async #handle(lane: LaneId, { events, position }: SourceBatch): Promise<void> {
    const before = this.#at(lane);
    const groups = bySubject(events.filter((event) => this.#isOurs(event.subject)));
    await forEachSideBySide(groups, async (group) => {
      const [first] = group;
      if (first === undefined || this.#parked.has(nameOf(first.subject))) return;
      await this.#deliver(group, before);
    });
    this.positions.set(lane, position);
  }

  /** Whether all of them were handled; else their subject is parked. */
  async #deliver(events: readonly ServiceEvent[], after: LanePosition): Promise<boolean> {
    const { partition, marks } = this.#options;
    const { signal } = this.#closing;
    const [first] = events;
    if (first === undefined) return true;
    const wasParked = this.#parked.has(nameOf(first.subject));
    const mayPark = () => wasParked || this.#parked.size < maxParked;
    const onTrouble = (error: unknown) => this.#options.onTrouble(error, first.lane);
    const failure = await deliver(events, { ...this.#options, signal, mayPark, onTrouble });
    if (failure === undefined) return true;
    const mark = markOf(failure.event, { ...failure, after });
    await marks.put(partition, mark);
    this.#parked.set(nameOf(mark.subject), mark);
    onTrouble(new Error(`${mark.subject.kind} ${mark.subject.id} is parked since ${mark.event.id}: ${mark.reason}`));
    return false;
  }

  /** Handles what a parked subject has between two positions; false when it stays parked. */
  async #replay(mark: Mark, from: LanePosition, to: LanePosition): Promise<boolean> {
    const { source, lanes } = this.#options;
    const { signal } = this.#closing;
    const types = lanes.get(mark.lane) ?? [];
    // Numbers go on from epoch to epoch, but for a restore: after that, what came in the place of what is gone is still to be handled.
    if (from[1] >= to[1] && from[0] === to[0]) return true;
    let after = from;
    for await (const { events, position } of source.read(mark.lane, { after, types, signal })) {
      const due = events.filter(
        (event) => event.n <= to[1] && nameOf(event.subject) === nameOf(mark.subject) && !isBefore(event, mark),
      );
      if (!(await this.#deliver(due, after))) return false;
      after = position;
      if (after[1] >= to[1]) return true;
    }
    return false;
  }

  #isOurs(subject: Subject): boolean {
    return partitionOf(subject, this.#options.partitions) === this.#options.partition;
  }

  #at(lane: LaneId): LanePosition {
    return this.positions.get(lane) ?? atStart;
  }

  /** Runs `work` when nothing else of the lane runs. */
  #inTurn(lane: LaneId, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(lane) ?? Promise.resolve()).catch(() => undefined).then(work);
    this.#turns.set(lane, turn);
    return turn;
  }
}

/** Whether it was handled before the subject was parked; what came after a restore was not, whatever its number is. */
function isBefore({ id, n, index }: ServiceEvent, { event, after }: Mark): boolean {
  if (![after[0], epochOf(event.id)].includes(epochOf(id))) return false;
  return n < event.n || (n === event.n && index < event.index);
}

/** The epoch that stands in an event's id. */
function epochOf(id: string): string {
  return id.split(":")[1] ?? "";
}
