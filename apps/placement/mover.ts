import type { BlobStore, StoredBlob } from "@connect-hub/blobs";
import type { MoveStep } from "@connect-hub/domain/content";
import type { KeyedHashes } from "@connect-hub/domain/kernel";
import type { ServiceCommand, ServiceCommands } from "@connect-hub/jetstream";
import { NodeError } from "@connect-hub/ssh";
import type { Logger } from "pino";
import { uuidv7 } from "uuidv7";
import { atLeastSpeed } from "./atLeastSpeed.ts";
import { BackOff } from "./backOff.ts";
import { copyBlob } from "./copyBlob.ts";
import type { NodeClient } from "./nodeClient.ts";

/** A copy that is under way. */
export interface Move {
  readonly hash: string;
  readonly size: number;
  /** The node's name. */
  readonly node: string;
  readonly startedAt: string;
}

export interface MoverOptions {
  readonly store: BlobStore;
  readonly commands: ServiceCommands;
  readonly hashes: Pick<KeyedHashes, "lookup">;
  readonly log: Logger;
  /** Told of each copy of the server's that was removed. */
  onDropped(hash: string): void;
  readonly step?: ((name: MoveStep) => void | Promise<void>) | undefined;
}

/** So many replicas are enough to drop the server's copy: better one on a node than none taken. */
export const replicasNeeded = 1;

/** Does one step of a move at a time, each so that a crash at any moment loses nothing. */
export class Mover {
  readonly #options: MoverOptions;
  readonly #moves = new Set<Move>();
  readonly #backOffs = new Map<string, BackOff>();
  readonly #closing = new AbortController();

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  get moves(): readonly Move[] {
    return [...this.#moves];
  }

  /** Whether these bytes may be sent to that node, which they may not for a while after that failed. */
  mayCopy(blob: StoredBlob, node: NodeClient): boolean {
    return this.#backOffs.get(keyOf(blob, node))?.mayTry ?? true;
  }

  /** Copies bytes to a node and has the log know it; whether that is so now. Never rejects. */
  async copy(blob: StoredBlob, node: NodeClient): Promise<boolean> {
    const { hash, size } = blob;
    const move: Move = { hash, size, node: node.node.name, startedAt: new Date().toISOString() };
    this.#moves.add(move);
    try {
      const isCopied = await this.#copy(blob, node);
      this.#backOffs.delete(keyOf(blob, node));
      return isCopied;
    } catch (error) {
      if (this.#closing.signal.aborted) return false;
      this.#options.log.warn({ err: error, hash, node: node.node.name }, "bytes could not be moved");
      if (error instanceof NodeError) node.copyFailed();
      this.#failed(blob, node);
      return false;
    } finally {
      this.#moves.delete(move);
    }
  }

  /** Removes the server's copy if the log allows it; whether it is gone by that. Throws what the disk throws. */
  async drop({ hash }: StoredBlob): Promise<boolean> {
    const { store, log, onDropped, step } = this.#options;
    const answer = await this.#sendDrop(hash);
    if (answer === "closing") return false;
    if (answer !== "done") {
      log.warn({ hash, code: answer }, "the server's copy may not be dropped");
      return false;
    }
    await step?.("move.dropAllowed");
    const wasHere = await store.drop(hash);
    onDropped(hash);
    await step?.("move.dropped");
    return wasHere;
  }

  /** Has the log know that the server doesn't promise these bytes. Throws when it refuses. */
  async release(hash: string): Promise<void> {
    const answer = await this.#sendDrop(hash);
    if (answer !== "done" && answer !== "closing") throw new Error(`the promise was kept: ${answer}`);
  }

  /** What is under way ends without an answer. */
  close(): void {
    this.#closing.abort();
  }

  async #copy({ hash, size }: StoredBlob, node: NodeClient): Promise<boolean> {
    const { store, hashes, step } = this.#options;
    const name = hashes.lookup(`blob|${hash}`);
    const startedAt = performance.now();
    const { signal } = this.#closing;
    const isCopied = await node.use("bulk", (link) =>
      atLeastSpeed(link, { bytes: size, signal }, () => copyBlob(link, { store, hash, name, step })),
    );
    // Dropped meanwhile: nothing to move.
    if (!isCopied) return false;
    node.copied(size, performance.now() - startedAt);
    const data = { hash, node: node.node.id, name, size };
    const answer = await this.#send({ id: uuidv7(), kind: "recordReplica", subject: hash, data });
    if (answer === "closing") return false;
    if (answer !== "done") throw new Error(`the replica was refused: ${answer}`);
    await step?.("move.recorded");
    return true;
  }

  #sendDrop(hash: string): Promise<string> {
    const data = { hash, minReplicas: replicasNeeded };
    return this.#send({ id: uuidv7(), kind: "dropLocal", subject: hash, data });
  }

  async #send(command: ServiceCommand): Promise<string> {
    const reply = await this.#options.commands.send(command, this.#closing.signal);
    if (reply === undefined) return "closing";
    return "refused" in reply ? reply.refused.code : "done";
  }

  #failed(blob: StoredBlob, node: NodeClient): void {
    const key = keyOf(blob, node);
    const backOff = this.#backOffs.get(key) ?? new BackOff({ firstMs: 5_000, maxMs: 600_000, now: Date.now });
    backOff.failed();
    this.#backOffs.set(key, backOff);
  }
}

function keyOf({ hash }: StoredBlob, { node }: NodeClient): string {
  return `${hash}|${node.id}`;
}
