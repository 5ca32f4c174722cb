import { pause, type Subject } from "@connect-hub/domain/kernel";
import type { LanePosition, ServiceError } from "@connect-hub/domain/services";
import type { LaneId } from "@connect-hub/domain/values";
import { nameOf } from "./deliver.ts";
import type { Leases, Look } from "./leases.ts";
import { Partition, type PartitionOptions, partitionOf } from "./partition.ts";

export interface HoldingOptions extends Omit<PartitionOptions, "partition" | "positions" | "onTrouble"> {
  readonly leases: Leases;
  /** Where the durable began. */
  readonly first: ReadonlyMap<LaneId, LanePosition>;
  onTrouble(error: unknown): void;
}

interface Held {
  readonly partition: Partition;
  revision: number;
  renewedAt: number;
}

/**
 * Holds this instance's share of a durable's work: of P parts and L live instances the one that is the k-th has each part p with
 * p mod L = k. One who sees that a part is another's gives it back, and only then that one takes it.
 */
export class Holding {
  readonly ended: Promise<ServiceError>;
  readonly #options: HoldingOptions;
  readonly #closing = new AbortController();
  readonly #held = new Map<number, Held>();
  /** Those that were let go of, until no handler of theirs is running any more. */
  readonly #leaving = new Map<number, Promise<void>>();
  /** The subjects that are being tried again. */
  readonly #retrying = new Set<string>();
  readonly #running: Promise<void>;
  #end: (error: ServiceError) => void = () => undefined;

  constructor(options: HoldingOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    for (const [part, held] of this.#held) this.#giveBack(part, held);
    await Promise.all(this.#leaving.values());
    await this.#options.leases.leave().catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { leases, onTrouble } = this.#options;
    const everyMs = leases.leaseMs / 5;
    while (!this.#closing.signal.aborted) {
      try {
        await this.#settle(await leases.look());
      } catch (error) {
        onTrouble(error);
      }
      this.#letGoOfStale();
      await pause(everyMs, this.#closing.signal);
    }
  }

  async #settle({ leases: entries, live, retries }: Look): Promise<void> {
    const { leases, partitions } = this.#options;
    for (let part = 0; part < partitions; part++) {
      const isMine = live[part % live.length] === leases.id;
      const entry = entries.get(part);
      const held = this.#held.get(part);
      const isFree = entry === undefined || entry.holder === null || entry.holder === leases.id || entry.isStale;
      if (held !== undefined && !isMine) this.#giveBack(part, held);
      else if (held !== undefined) await this.#renew(part, held);
      else if (isMine && isFree && !this.#leaving.has(part))
        await this.#take(part, new Map([...this.#options.first, ...(entry?.positions ?? [])]), entry?.revision ?? 0);
    }
    for (const subject of retries) {
      const held = this.#held.get(partitionOf(subject, partitions));
      if (held !== undefined) this.#retry(subject, held);
    }
  }

  /** Beside all else: it may take long. The request stands until it is done, and is seen again and again. */
  #retry(subject: Subject, { partition }: Held): void {
    const name = nameOf(subject);
    if (this.#retrying.has(name)) return;
    this.#retrying.add(name);
    partition
      .retry(subject)
      .then(() => this.#options.leases.retryDone(subject))
      .catch(this.#options.onTrouble)
      .finally(() => this.#retrying.delete(name));
  }

  async #take(part: number, positions: ReadonlyMap<LaneId, LanePosition>, at: number): Promise<void> {
    const { leases, onTrouble } = this.#options;
    const renewedAt = performance.now();
    const revision = await leases.write(part, at, { holder: leases.id, positions });
    if (revision === undefined) return;
    const partition = new Partition({
      ...{ ...this.#options, positions, partition: part },
      onTrouble: (error) => {
        onTrouble(error);
        if (partition.failed !== undefined) this.#end(partition.failed);
      },
    });
    this.#held.set(part, { partition, revision, renewedAt });
  }

  async #renew(part: number, held: Held): Promise<void> {
    const { leases } = this.#options;
    const renewedAt = performance.now();
    const lease = { holder: leases.id, positions: held.partition.positions };
    const revision = await leases.write(part, held.revision, lease);
    if (revision === undefined) {
      this.#drop(part, held);
      return;
    }
    held.revision = revision;
    held.renewedAt = renewedAt;
  }

  /** Another may take it soon, and would handle events beside us. */
  #letGoOfStale(): void {
    const tooLong = this.#options.leases.leaseMs * 0.8;
    for (const [part, held] of this.#held) if (performance.now() - held.renewedAt > tooLong) this.#drop(part, held);
  }

  #giveBack(part: number, held: Held): void {
    this.#drop(part, held, async () => {
      const lease = { holder: null, positions: held.partition.positions };
      await this.#options.leases.write(part, held.revision, lease);
    });
  }

  #drop(part: number, { partition }: Held, then: () => Promise<void> = async () => undefined): void {
    this.#held.delete(part);
    const left = partition.close().then(then).catch(this.#options.onTrouble);
    this.#leaving.set(
      part,
      left.finally(() => this.#leaving.delete(part)),
    );
  }
}
