/** A commit of fewer is not waited for: who talks alone is not held up. */
const minCount = 4;
/** Less than what one more commit costs those who wait for it. */
const mostMs = 2;

/**
 * The moment after a commit of many, in which those who were answered send again. Commands of one commit share what it costs, so the
 * next one waits until as many have come, but not longer than this moment.
 */
export class Gathering {
  readonly #onOver: () => void;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onOver` is called when the moment is over and fewer came. */
  constructor(onOver: () => void) {
    this.#onOver = onOver;
  }

  /** A commit of `count` commands is answered. */
  answered(count: number): void {
    this.end();
    if (count < minCount) return;
    this.#count = count;
    this.#timer = setTimeout(() => {
      this.end();
      this.#onOver();
    }, mostMs);
  }

  /** Whether more are expected yet than the `count` that wait. */
  expectsMore(count: number): boolean {
    return count < this.#count;
  }

  /** Expects nobody any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#count = 0;
  }
}
