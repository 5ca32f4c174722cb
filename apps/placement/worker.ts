import type { BlobStore, StoredBlob } from "@connect-hub/blobs";
import { comparePressure } from "@connect-hub/domain/content";
import { pause } from "@connect-hub/domain/kernel";
import type { BlobPlaces } from "@connect-hub/projections";
import type { Logger } from "pino";
import { Copies } from "./copies.ts";
import { type Mover, replicasNeeded } from "./mover.ts";
import type { Nodes } from "./nodes.ts";

export interface WorkerOptions {
  readonly store: BlobStore;
  readonly nodes: Nodes;
  readonly mover: Mover;
  readonly log: Logger;
  /** Where these bytes are, by the tables. */
  places(hashes: readonly string[]): Promise<readonly BlobPlaces[]>;
  readonly tickMs: number;
  /** A node keeps so many bytes free. */
  readonly nodeReserveBytes: number;
}

/** How many nodes have each blob, where there are so many. */
const replicasWanted = 2;
/** Below this part of its budget the disk is no longer emptied. */
const emptyTo = 0.65;
/** No upload may fill more than this part. */
const fullAt = 0.95;
/** Down to this part blobs are dropped of which a further replica is still to come, when they were waited for that long. */
const pressedTo = 0.9;
const patienceMs = 10_000;
/** Blobs that are looked at in one go. */
const batchSize = 200;
/** A look waits so long for what called for it to be in the tables, and four times as long as the one before took. */
const settleMs = 100;
const restShare = 4;

/** A blob of the server's disk, and where it is besides. */
interface Local {
  readonly blob: StoredBlob;
  readonly place: BlobPlaces;
}

/** How much there is to do. */
interface Load {
  readonly used: number;
  /** The disk is emptied until less than this is used. */
  readonly goal: number;
  /** Until less than this is used, no further replicas are waited for; infinite while there is time. */
  readonly pressedGoal: number;
}

/**
 * Moves bytes to nodes, the coldest first, while the server's disk is too full. Only what the tables know of counts as a replica when the
 * server's copy is dropped, as readers find it nowhere else. Closed by `close`.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #copies: Copies;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #woken = new AbortController();
  #isEmptying = false;
  #pressedAt: number | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#copies = new Copies({ ...options, onCopied: () => this.wake() });
    this.#running = this.#run();
  }

  /** Looks now instead of at the next tick. */
  wake(): void {
    this.#woken.abort();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#options.mover.close();
    await this.#running;
    await this.#copies.close();
  }

  async #run(): Promise<void> {
    const { log, nodes, tickMs } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#woken = new AbortController();
      const startedAt = performance.now();
      try {
        await nodes.refresh();
        await this.#pass();
      } catch (error) {
        // The tables or the disk: what failed is tried again at the next tick.
        log.warn({ err: error }, "placement tries again");
      }
      const restMs = Math.max(settleMs, (performance.now() - startedAt) * restShare);
      await pause(tickMs, AbortSignal.any([signal, this.#woken.signal]));
      await pause(Math.min(restMs, tickMs), signal);
    }
  }

  /** Once over the local blobs, coldest first: drops what may go, and plans the copies, which are not waited for. */
  async #pass(): Promise<void> {
    const { store, nodes } = this.#options;
    const load = await this.#load();
    const wanted = Math.min(replicasWanted, nodes.all.length);
    const plan = this.#copies.plan(wanted);
    if (load === undefined || wanted === 0) return plan.begin();
    let { used } = load;
    const dropWhile = async (isNeeded: () => boolean, locals: Iterable<Local>) => {
      for (const { blob } of locals) {
        if (this.#closing.signal.aborted || !this.#isEmptying || !isNeeded()) return;
        if (await this.#drop(blob)) used -= blob.size;
        if (used < load.goal) this.#isEmptying = false;
      }
    };
    const enough: Local[] = [];
    const onTheirWay: Local[] = [];
    for await (const local of this.#locals(await coldestFirst(store))) {
      const { length } = local.place.replicas;
      if (length >= wanted) await dropWhile(() => true, [local]);
      else {
        const isGrowing = plan.add(local.blob, local.place);
        if (length >= replicasNeeded) (isGrowing ? onTheirWay : enough).push(local);
      }
      if (this.#closing.signal.aborted || (plan.isFull && !this.#isEmptying)) break;
    }
    plan.begin();
    await dropWhile(() => true, enough);
    await dropWhile(() => used >= load.pressedGoal, onTheirWay);
  }

  /** Undefined when nothing is to be done. */
  async #load(): Promise<Load | undefined> {
    const { level, used, budget, wanted: lacking } = await this.#options.store.usage();
    const fullBelow = budget * fullAt - lacking;
    // An upload that is large for the budget may lack room before the disk is full for others.
    const lacksRoom = lacking > 0 && used > fullBelow;
    if (comparePressure(level, "hold") < 0 && !lacksRoom) this.#pressedAt = undefined;
    else this.#pressedAt ??= performance.now();
    if (comparePressure(level, "copy") < 0 && !lacksRoom) {
      this.#isEmptying = false;
      return undefined;
    }
    if (comparePressure(level, "drop") >= 0 || lacksRoom) this.#isEmptying = true;
    const isPressed = this.#pressedAt !== undefined && performance.now() - this.#pressedAt > patienceMs;
    const room = lacksRoom ? fullBelow : Number.POSITIVE_INFINITY;
    return {
      used,
      goal: Math.min(budget * emptyTo, room),
      pressedGoal: isPressed ? Math.min(budget * pressedTo, room) : Number.POSITIVE_INFINITY,
    };
  }

  /** Those that some file has. */
  async *#locals(blobs: readonly StoredBlob[]): AsyncGenerator<Local, void> {
    for (let start = 0; start < blobs.length; start += batchSize) {
      const batch = blobs.slice(start, start + batchSize);
      const places = await this.#options.places(batch.map(({ hash }) => hash));
      const byHash = new Map(places.map((place) => [place.hash, place]));
      for (const blob of batch) {
        const place = byHash.get(blob.hash);
        if (place !== undefined) yield { blob, place };
      }
    }
  }

  async #drop(blob: StoredBlob): Promise<boolean> {
    if (!(await this.#options.mover.drop(blob))) return false;
    this.#copies.forget(blob.hash);
    return true;
  }
}

async function coldestFirst(store: BlobStore): Promise<readonly StoredBlob[]> {
  const blobs: StoredBlob[] = [];
  // An empty one takes no room.
  for await (const blob of store.list()) if (blob.size > 0) blobs.push(blob);
  return blobs.sort((a, b) => a.lastAccess.getTime() - b.lastAccess.getTime());
}
