import type { BlobStore, StoredBlob } from "@connect-hub/blobs";
import { comparePressure, type MoveStep } from "@connect-hub/domain/content";
import type { KeyedHashes } from "@connect-hub/domain/kernel";
import type { ServiceCommands } from "@connect-hub/jetstream";
import type { BlobPlaces } from "@connect-hub/projections";
import type { Logger } from "pino";
import { uuidv7 } from "uuidv7";
import { BackOff } from "./backOff.ts";
import { chooseNodes } from "./chooseNodes.ts";
import { copyBlob } from "./copyBlob.ts";
import type { NodeClient } from "./nodeClient.ts";
import type { Nodes } from "./nodes.ts";

/** A copy that is under way. */
export interface Move {
  readonly hash: string;
  readonly size: number;
  /** The node's name. */
  readonly node: string;
  readonly startedAt: string;
}

export interface WorkerOptions {
  readonly store: BlobStore;
  readonly nodes: Nodes;
  readonly commands: ServiceCommands;
  readonly hashes: Pick<KeyedHashes, "lookup">;
  readonly log: Logger;
  /** Where these bytes are, by the tables. */
  places(hashes: readonly string[]): Promise<readonly BlobPlaces[]>;
  readonly tickMs: number;
  readonly step?: ((name: MoveStep) => void) | undefined;
}

/** Moves bytes to nodes while the server's disk is full. */
export interface Worker {
  readonly moves: readonly Move[];
  /** Looks now instead of at the next tick. */
  wake(): void;
  close(): Promise<void>;
}

/** How many nodes have each blob, where there are so many. */
const replicasWanted = 2;
/** So many are enough to drop the server's copy: better one on a node than none taken. */
const replicasNeeded = 1;
/** Below this part of its budget the disk is no longer emptied. */
const emptyTo = 0.65;
/** Blobs that are looked at in one go. */
const batchSize = 200;

export function startWorker(options: WorkerOptions): Worker {
  return new PlacementWorker(options);
}

/** A blob of the server's disk, with the nodes that have it. */
interface Local {
  readonly blob: StoredBlob;
  readonly holders: Set<string>;
}

class PlacementWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #moves = new Set<Move>();
  /** What was recorded here, until the tables have it. */
  readonly #recorded = new Map<string, Set<string>>();
  readonly #backOffs = new Map<string, BackOff>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #wake: () => void = () => undefined;
  #isWoken = false;
  #isEmptying = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  get moves(): readonly Move[] {
    return [...this.#moves];
  }

  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, nodes } = this.#options;
    while (!this.#closing.signal.aborted) {
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
      if (this.#isWoken || this.#closing.signal.aborted) this.#wake();
    });
  }

  /** Once over all local blobs, coldest first, until the disk is empty enough. */
  async #pass(): Promise<void> {
    const { store, nodes } = this.#options;
    const { level, used, budget } = await store.usage();
    if (comparePressure(level, "copy") < 0 || nodes.all.length === 0) return;
    if (comparePressure(level, "drop") >= 0) this.#isEmptying = true;
    let left = used;
    const isOver = () => this.#closing.signal.aborted;
    const emptyEnough = () => left < budget * emptyTo;
    const dropOne = async ({ blob, holders }: Local) => {
      if (!this.#isEmptying || holders.size < replicasNeeded || !(await this.#drop(blob))) return;
      left -= blob.size;
      if (emptyEnough()) this.#isEmptying = false;
    };
    const coldest = await coldestFirst(store);
    const wanted = Math.min(replicasWanted, nodes.all.length);
    // First what costs nothing but the drop.
    for await (const local of this.#withHolders(coldest)) {
      if (isOver() || !this.#isEmptying) break;
      if (local.holders.size >= wanted) await dropOne(local);
    }
    for await (const local of this.#withHolders(coldest)) {
      if (isOver()) return;
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
        if (place === undefined) continue;
        yield { blob, holders: this.#holdersOf(place) };
      }
    }
  }

  #holdersOf({ hash, replicas }: BlobPlaces): Set<string> {
    const holders = new Set(replicas.map(({ node }) => node));
    const recorded = this.#recorded.get(hash);
    if (recorded === undefined) return holders;
    for (const node of recorded) {
      if (holders.has(node)) recorded.delete(node);
      else holders.add(node);
    }
    if (recorded.size === 0) this.#recorded.delete(hash);
    return holders;
  }

  async #copy({ blob, holders }: Local, wanted: number): Promise<void> {
    const candidates = this.#options.nodes.all
      .filter((node) => !holders.has(node.node.id) && node.takesCopies && this.#mayTry(blob, node))
      .map((node) => ({ id: node.node.id, freeBytes: node.freeBytes, node }));
    const chosen = chooseNodes(blob, candidates, wanted - holders.size);
    await Promise.all(
      chosen.map(async ({ id, node }) => {
        if (await this.#copyTo(node, blob)) holders.add(id);
      }),
    );
  }

  /** Whether the log has it now that this node has these bytes. */
  async #copyTo(node: NodeClient, blob: StoredBlob): Promise<boolean> {
    const { store, hashes, commands, log, step } = this.#options;
    const { hash, size } = blob;
    const move: Move = { hash, size, node: node.node.name, startedAt: new Date().toISOString() };
    this.#moves.add(move);
    try {
      const name = hashes.lookup(`blob|${hash}`);
      const startedAt = performance.now();
      const found = await node.use("bulk", (link) => copyBlob(link, { store, hash, name, step }));
      // Dropped, or never there: nothing to move.
      if (!found) return false;
      node.copied(size, performance.now() - startedAt);
      const data = { hash, node: node.node.id, name, size };
      const reply = await commands.send(
        { id: uuidv7(), kind: "recordReplica", subject: hash, data },
        this.#closing.signal,
      );
      if (reply === undefined || "refused" in reply) {
        if (reply !== undefined) throw new Error(`the replica was refused: ${reply.refused.code}`);
        return false;
      }
      step?.("move.recorded");
      this.#backOffs.delete(keyOf(blob, node));
      const recorded = this.#recorded.get(hash);
      if (recorded === undefined) this.#recorded.set(hash, new Set([node.node.id]));
      else recorded.add(node.node.id);
      return true;
    } catch (error) {
      if (this.#closing.signal.aborted) return false;
      log.warn({ err: error, hash, node: node.node.name }, "bytes could not be moved");
      node.copyFailed();
      this.#failed(blob, node);
      return false;
    } finally {
      this.#moves.delete(move);
    }
  }

  /** Removes the server's copy if the log allows it. */
  async #drop({ hash }: StoredBlob): Promise<boolean> {
    const { store, commands, log, step } = this.#options;
    const data = { hash, minReplicas: replicasNeeded };
    const reply = await commands.send({ id: uuidv7(), kind: "dropLocal", subject: hash, data }, this.#closing.signal);
    if (reply === undefined) return false;
    if ("refused" in reply) {
      log.warn({ hash, code: reply.refused.code }, "the server's copy may not be dropped");
      return false;
    }
    step?.("move.dropAllowed");
    await store.drop(hash);
    step?.("move.dropped");
    return true;
  }

  #mayTry(blob: StoredBlob, node: NodeClient): boolean {
    return this.#backOffs.get(keyOf(blob, node))?.mayTry ?? true;
  }

  #failed(blob: StoredBlob, node: NodeClient): void {
    const key = keyOf(blob, node);
    const backOff = this.#backOffs.get(key) ?? new BackOff({ firstMs: 5_000, maxMs: 600_000, now: Date.now });
    backOff.failed();
    this.#backOffs.set(key, backOff);
  }
}

async function coldestFirst(store: BlobStore): Promise<readonly StoredBlob[]> {
  const blobs: StoredBlob[] = [];
  for await (const blob of store.list()) blobs.push(blob);
  return blobs.sort((a, b) => a.lastAccess.getTime() - b.lastAccess.getTime());
}

function keyOf({ hash }: StoredBlob, { node }: NodeClient): string {
  return `${hash}|${node.id}`;
}
