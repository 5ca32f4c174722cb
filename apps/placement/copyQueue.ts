import type { StoredBlob } from "@connect-hub/blobs";

export interface CopyQueueOptions {
  /** Whether these bytes may be sent now; when not, nothing else that waits is. */
  mayCopy(blob: StoredBlob): boolean;
  /** Never rejects. */
  copy(blob: StoredBlob): Promise<void>;
  /** A clock in milliseconds that never goes back. */
  now(): number;
}

/** A copy is late after so long, and after the time that its bytes take at that speed. */
const lateAfterMs = 10_000;
const easyBytesPerMs = 1_024;

/** The copies to one node, one after another in its own time: nothing else waits for them. Closed by `close`. */
export class CopyQueue {
  readonly #options: CopyQueueOptions;
  #waiting: StoredBlob[] = [];
  #underWay: { readonly hash: string; readonly lateAt: number } | undefined;
  #running = Promise.resolve();
  #isClosed = false;

  constructor(options: CopyQueueOptions) {
    this.#options = options;
  }

  /** Whether the copy under way takes so long that nothing should count on this node. */
  get isLate(): boolean {
    return this.#underWay !== undefined && this.#options.now() > this.#underWay.lateAt;
  }

  isCopying(hash: string): boolean {
    return this.#underWay?.hash === hash;
  }

  /** What is to be copied from now on, in this order, after what is under way. */
  assign(blobs: readonly StoredBlob[]): void {
    if (this.#isClosed) return;
    this.#waiting = [...blobs];
    if (this.#underWay === undefined) this.#running = this.#run();
  }

  /** Begins no more, and resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waiting = [];
    await this.#running;
  }

  async #run(): Promise<void> {
    const { copy, mayCopy, now } = this.#options;
    for (let blob = this.#waiting.shift(); blob !== undefined; blob = this.#waiting.shift()) {
      if (!mayCopy(blob)) {
        this.#waiting = [];
        return;
      }
      this.#underWay = { hash: blob.hash, lateAt: now() + lateAfterMs + blob.size / easyBytesPerMs };
      await copy(blob);
      this.#underWay = undefined;
    }
  }
}
