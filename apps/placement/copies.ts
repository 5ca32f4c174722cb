import type { StoredBlob } from "@connect-hub/blobs";
import type { BlobPlaces } from "@connect-hub/projections";
import { chooseNodes } from "./chooseNodes.ts";
import { CopyQueue } from "./copyQueue.ts";
import type { Mover } from "./mover.ts";
import type { NodeClient } from "./nodeClient.ts";
import type { Nodes } from "./nodes.ts";

export interface CopiesOptions {
  readonly nodes: Nodes;
  readonly mover: Mover;
  /** A node keeps so many bytes free. */
  readonly nodeReserveBytes: number;
  /** A copy was made, and is on the log. */
  onCopied(): void;
}

/** What is to be copied next, as far as one look over the disk goes. */
export interface CopyPlan {
  /** Whether it has work enough until the next look. */
  readonly isFull: boolean;
  /** Has the bytes copied to as many nodes as they lack; whether they will soon be on more nodes than now, or may be. */
  add(blob: StoredBlob, place: BlobPlaces): boolean;
  /** Puts it in place of the plan before. */
  begin(): void;
}

/** So many copies are planned for a node at a time. */
const planSize = 200;

/** The copies to all nodes, to each in its own time. Closed by `close`. */
export class Copies {
  readonly #options: CopiesOptions;
  readonly #queues = new Map<string, CopyQueue>();
  /** What was recorded here, until the tables have it: the nodes' ids by hash. */
  readonly #recorded = new Map<string, Set<string>>();

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /** Begins to plan copies so that bytes are on `wanted` nodes. */
  plan(wanted: number): CopyPlan {
    const lists = new Map(this.#options.nodes.all.map((client) => [client, [] as StoredBlob[]]));
    let isFull = false;
    return {
      get isFull() {
        return isFull;
      },
      add: (blob, place) => {
        if (isFull) return true;
        const holders = this.#holdersOf(place);
        // A copy that takes too long is not counted on.
        const copying = [...this.#queues.values()].filter((queue) => !queue.isLate && queue.isCopying(blob.hash));
        const missing = wanted - holders.size - copying.length;
        const chosen = missing > 0 ? this.#chosen(blob, { holders, missing }) : [];
        for (const client of chosen) {
          const list = lists.get(client);
          list?.push(blob);
          if (list !== undefined && list.length >= planSize) isFull = true;
        }
        return copying.length + chosen.length > 0;
      },
      begin: () => {
        for (const [client, list] of lists) this.#queueOf(client).assign(list);
      },
    };
  }

  /** The server's copy is gone, and nothing more is to be done with it. */
  forget(hash: string): void {
    this.#recorded.delete(hash);
  }

  /** Begins no more, and resolves when what is under way has ended. */
  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  #chosen(blob: StoredBlob, { holders, missing }: { holders: ReadonlySet<string>; missing: number }) {
    const candidates = this.#options.nodes.all
      .filter((client) => !holders.has(client.node.id))
      .filter((client) => !this.#queueOf(client).isLate && !this.#queueOf(client).isCopying(blob.hash))
      .filter((client) => this.#mayCopy(blob, client))
      .map((client) => ({ id: client.node.id, freeBytes: client.freeBytes, client }));
    return chooseNodes(blob.hash, candidates, missing).map(({ client }) => client);
  }

  #mayCopy(blob: StoredBlob, client: NodeClient): boolean {
    const { mover, nodeReserveBytes } = this.#options;
    return client.takesCopies && mover.mayCopy(blob, client) && client.hasRoomFor(blob.size + nodeReserveBytes);
  }

  #holdersOf({ hash, replicas }: BlobPlaces): ReadonlySet<string> {
    const recorded = this.#recorded.get(hash) ?? new Set();
    for (const { node } of replicas) recorded.delete(node);
    if (recorded.size === 0) this.#recorded.delete(hash);
    return new Set([...replicas.map(({ node }) => node), ...recorded]);
  }

  #queueOf(client: NodeClient): CopyQueue {
    const { id } = client.node;
    const queue = this.#queues.get(id) ?? this.#newQueue(client);
    this.#queues.set(id, queue);
    return queue;
  }

  #newQueue(client: NodeClient): CopyQueue {
    const { mover, onCopied } = this.#options;
    return new CopyQueue({
      now: () => performance.now(),
      mayCopy: (blob) => this.#mayCopy(blob, client),
      copy: async (blob) => {
        if (!(await mover.copy(blob, client))) return;
        const { hash } = blob;
        this.#recorded.set(hash, (this.#recorded.get(hash) ?? new Set()).add(client.node.id));
        onCopied();
      },
    });
  }
}
