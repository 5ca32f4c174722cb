/** When something that failed may be tried again: later after each failure in a row. */
export class BackOff {
  #failures = 0;
  #until = 0;
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #now: () => number;

  /** `now`: a clock in milliseconds. */
  constructor(options: { readonly firstMs: number; readonly maxMs: number; readonly now: () => number }) {
    this.#firstMs = options.firstMs;
    this.#maxMs = options.maxMs;
    this.#now = options.now;
  }

  /** Whether it may be tried now. */
  get mayTry(): boolean {
    return this.#now() >= this.#until;
  }

  /** Milliseconds until it may be tried. */
  get leftMs(): number {
    return Math.max(0, this.#until - this.#now());
  }

  failed(): void {
    this.#until = this.#now() + Math.min(this.#maxMs, this.#firstMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#until = 0;
  }
}
