import type { Lane, StoredCommit } from "./ports.ts";

/**
 * The commits that this process's own writer appends, for one reader beside it: the log is read only for what came before,
 * so that the reader costs the log nothing.
 */
export class CommitTail {
  readonly #lane: Pick<Lane, "read">;
  readonly #maxBytes: number;
  readonly #kept: StoredCommit[] = [];
  #bytes = 0;
  /** Commits up to this one are to be had from the log alone. */
  #before: number;
  #wake: () => void = () => undefined;

  /** `head` is the last commit before those that are pushed; so many bytes wait for the reader (default 4 MiB). */
  constructor(lane: Pick<Lane, "read">, head: number, maxBytes = 4 * 1024 * 1024) {
    this.#lane = lane;
    this.#before = head;
    this.#maxBytes = maxBytes;
  }

  /** Takes the next commit, once it is stored. */
  push(commit: StoredCommit): void {
    this.#kept.push(commit);
    this.#bytes += commit.bytes.byteLength;
    while (this.#bytes > this.#maxBytes) this.#drop(1);
    this.#wake();
  }

  /** As `Lane.read`; what was read is kept no longer. */
  async *read(from: number, signal: AbortSignal): AsyncIterable<readonly StoredCommit[]> {
    const aborted = (): void => this.#wake();
    signal.addEventListener("abort", aborted);
    let next = from;
    try {
      while (!signal.aborted) {
        if (next <= this.#before) {
          for await (const batch of this.#lane.read(next, signal)) {
            yield batch;
            next = (batch.at(-1)?.n ?? next - 1) + 1;
            if (next > this.#before) break;
          }
          continue;
        }
        const batch = this.#kept.slice(next - this.#before - 1);
        if (batch.length > 0) {
          next += batch.length;
          this.#drop(this.#kept.length);
          yield batch;
        } else if (!signal.aborted) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener("abort", aborted);
    }
  }

  #drop(count: number): void {
    for (const { n, bytes } of this.#kept.splice(0, count)) {
      this.#before = n;
      this.#bytes -= bytes.byteLength;
    }
  }
}
