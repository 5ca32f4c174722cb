/**
 * Lets a few things happen at once and then one per interval, so that what is rare is quick and what is frequent gathers.
 * Times in milliseconds on the caller's clock.
 */
export class Pace {
  readonly #intervalMs: number;
  readonly #burst: number;
  /** When the next one would be due if there were no burst. */
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly intervalMs: number; readonly burst: number }) {
    this.#intervalMs = options.intervalMs;
    this.#burst = options.burst;
  }

  /** How long the next one has to wait. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#dueAt - nowMs - this.#intervalMs * (this.#burst - 1));
  }

  /** One happens now. */
  take(nowMs: number): void {
    this.#dueAt = Math.max(this.#dueAt, nowMs) + this.#intervalMs;
  }
}
