import { decodeCommit } from "./commit.ts";
import type { ContextModel } from "./event.ts";
import { type FactView, weightOf } from "./factView.ts";
import { readCommit } from "./parkingFold.ts";
import { pause } from "./pause.ts";
import type { Lane, StoredCommit, Vault } from "./ports.ts";
import { sealedKeyIds } from "./sealing.ts";

export interface TailReaderOptions {
  readonly lane: Lane;
  readonly vault: Vault;
  readonly model: ContextModel;
  readonly signal: AbortSignal;
}

/** Reads a lane after a view's head and folds it into the view, while it says at once what the newest commit is. */
export class TailReader {
  readonly #options: TailReaderOptions;
  readonly #view: FactView;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #newest: StoredCommit | undefined;
  #wakers = new Set<() => void>();
  #isOver = false;
  #failure: unknown;

  constructor(view: FactView, options: TailReaderOptions) {
    this.#view = view;
    this.#options = options;
    this.#running = this.#run()
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#isOver = true;
        this.#wake();
      });
  }

  /** The newest commit that was read, perhaps not folded yet; undefined when there was none. */
  get newest(): StoredCommit | undefined {
    return this.#newest;
  }

  /** Resolves when a commit is read, or after `ms`. */
  async next(ms: number): Promise<void> {
    const before = this.#newest;
    await Promise.race([this.#until(() => this.#newest !== before), pause(ms, this.#options.signal)]);
  }

  /** Whether the view got as far as commit `n`; false when the signal aborted first. Throws what reading or opening threw. */
  async folded(n: number): Promise<boolean> {
    await this.#until(() => this.#view.head >= n || this.#isOver);
    if (this.#view.head < n && this.#failure !== undefined) throw this.#failure;
    return this.#view.head >= n;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#options.signal]);
    let folding: Promise<void> = Promise.resolve();
    for await (const batch of this.#options.lane.read(this.#view.head + 1, signal)) {
      const last = batch.at(-1);
      if (last !== undefined) this.#newest = { n: last.n, bytes: last.bytes.slice() };
      this.#wake();
      // One batch is folded while the next one is on its way.
      await folding;
      folding = this.#fold(batch).catch((error: unknown) => {
        this.#failure ??= error;
        this.#stop.abort();
      });
    }
    await folding;
  }

  async #fold(batch: readonly StoredCommit[]): Promise<void> {
    const { model, vault } = this.#options;
    if (this.#failure !== undefined) return;
    const commits = batch.map(({ bytes }) => decodeCommit(bytes));
    const keys = await vault.byId(sealedKeyIds(commits, model));
    for (const [index, commit] of commits.entries()) {
      const { changes, parked } = readCommit(commit, model, keys);
      const size = { events: weightOf(commit.entries), bytes: batch[index]?.bytes.byteLength ?? 0 };
      this.#view.commit(commit.n, changes, size, parked);
    }
    this.#wake();
  }

  #until(isSo: () => boolean): Promise<void> {
    if (isSo()) return Promise.resolve();
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isSo()) return;
        this.#wakers.delete(check);
        resolve();
      };
      this.#wakers.add(check);
    });
  }

  #wake(): void {
    for (const check of [...this.#wakers]) check();
  }
}
