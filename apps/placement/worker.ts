import type { BlobStore, StoredBlob } from "@connect-hub/blobs";
import { comparePressure } from "@connect-hub/domain/content";
import type { BlobPlaces } from "@connect-hub/projections";
import type { Logger } from "pino";
import { chooseNodes } from "./chooseNodes.ts";
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
/** Blobs that are looked at in one go. */
const batchSize = 200;

/** A blob of the server's disk, with the ids of the nodes that have it. */
interface Local {
  readonly blob: StoredBlob;
  readonly holders: Set<string>;
}

/** Moves bytes to nodes, the coldest first, while the server's disk is too full. Closed by `close`. */
export class Worker {
  readonly #options: WorkerOptions;
  /** What was recorded here, until the tables have it. */
  readonly #recorded = new Map<string, Set<string>>();
  readonly #running: Promise<void>;
  #isClosing = false;
  #wake: () => void = () => undefined;
  #isWoken = false;
  #isEmptying = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Looks now instead of at the next tick. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#options.mover.close();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, nodes } = this.#options;
    while (!this.#isClosing) {
      this.#isWoken = false;
      try {
        await nodes.refresh();
        await this.#pass();
      } catch (error) {
        // The tables or the disk: what failed is tried again at the next tick.
        log.warn({ err: error }, "placement tries again");
      }
      await this.#untilTick();
    }
  }

  #untilTick(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#options.tickMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#isWoken || this.#isClosing) this.#wake();
    });
  }

  /** Once over all local blobs, coldest first, until the disk is empty enough. */
  async #pass(): Promise<void> {
    const { store, nodes } = this.#options;
    const { level, used, budget, wanted: lacking } = await store.usage();
    // An upload that is large for the budget may lack room before the disk is full for others.
    const lacksRoom = lacking > 0 && used > budget * fullAt - lacking;
    if ((comparePressure(level, "copy") < 0 && !lacksRoom) || nodes.all.length === 0) return;
    if (comparePressure(level, "drop") >= 0 || lacksRoom) this.#isEmptying = true;
    const goal = Math.min(budget * emptyTo, lacksRoom ? budget * fullAt - lacking : Number.POSITIVE_INFINITY);
    const coldest = await coldestFirst(store);
    const wanted = Math.min(replicasWanted, nodes.all.length);
    const gone = new Set<string>();
    let left = used;
    const dropOne = async (local: Local) => {
      if (!this.#isEmptying || local.holders.size < replicasNeeded || !(await this.#drop(local))) return;
      gone.add(local.blob.hash);
      left -= local.blob.size;
      if (left < goal) this.#isEmptying = false;
    };
    // First what costs nothing but the drop.
    for await (const local of this.#withHolders(coldest)) {
      if (this.#isClosing || !this.#isEmptying) break;
      if (local.holders.size >= wanted) await dropOne(local);
    }
    for await (const local of this.#withHolders(coldest.filter(({ hash }) => !gone.has(hash)))) {
      if (this.#isClosing) return;
      if (local.holders.size < wanted) await this.#copy(local, wanted);
      await dropOne(local);
    }
  }

  /** Those that some file has, with the nodes that have them. */
  async *#withHolders(blobs: readonly StoredBlob[]): AsyncGenerator<Local, void> {
    for (let start = 0; start < blobs.length; start += batchSize) {
      const batch = blobs.slice(start, start + batchSize);
      const places = await this.#options.places(batch.map(({ hash }) => hash));
      const byHash = new Map(places.map((place) => [place.hash, place]));
      for (const blob of batch) {
        const place = byHash.get(blob.hash);
        if (place !== undefined) yield { blob, holders: this.#holdersOf(place) };
      }
    }
  }

  #holdersOf({ hash, replicas }: BlobPlaces): Set<string> {
    const recorded = this.#recorded.get(hash) ?? new Set();
    for (const { node } of replicas) recorded.delete(node);
    if (recorded.size === 0) this.#recorded.delete(hash);
    return new Set([...replicas.map(({ node }) => node), ...recorded]);
  }

  async #copy({ blob, holders }: Local, wanted: number): Promise<void> {
    const { nodes, mover, nodeReserveBytes } = this.#options;
    const candidates = nodes.all
      .filter((client) => !holders.has(client.node.id) && client.takesCopies && mover.mayCopy(blob, client))
      .filter((client) => client.hasRoomFor(blob.size + nodeReserveBytes))
      .map((client) => ({ id: client.node.id, freeBytes: client.freeBytes, client }));
    const copies = chooseNodes(blob.hash, candidates, wanted - holders.size).map(async ({ id, client }) => {
      if (!(await mover.copy(blob, client))) return;
      holders.add(id);
      this.#recorded.set(blob.hash, (this.#recorded.get(blob.hash) ?? new Set()).add(id));
    });
    await Promise.all(copies);
  }

  async #drop({ blob }: Local): Promise<boolean> {
    if (!(await this.#options.mover.drop(blob))) return false;
    this.#recorded.delete(blob.hash);
    return true;
  }
}

async function coldestFirst(store: BlobStore): Promise<readonly StoredBlob[]> {
  const blobs: StoredBlob[] = [];
  // An empty one takes no room.
  for await (const blob of store.list()) if (blob.size > 0) blobs.push(blob);
  return blobs.sort((a, b) => a.lastAccess.getTime() - b.lastAccess.getTime());
}
