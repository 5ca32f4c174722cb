/** What is pushed, to be read one by one. */
export interface EventReader<T> {
  push(items: readonly T[]): void;
  /** Drops what waits and has `mark` read in its place. */
  reset(mark: T): void;
  /** What waits is still read, then the reading ends. */
  end(): void;
  readonly items: AsyncIterableIterator<T>;
}

/** How many events wait for a reader. */
const mostWaiting = 1_000;

/**
 * A reader that holds at most `mostWaiting` items: when there would be more, all of them are dropped, and one `mark()` is read in their place.
 * `left` is called when the reader goes away.
 */
export function eventReader<T>(mark: () => T, left: () => void): EventReader<T> {
  let waiting: T[] = [];
  let isOver = false;
  let wake: Array<(result: IteratorResult<T, undefined>) => void> = [];

  function take(): IteratorResult<T, undefined> | undefined {
    const [value] = waiting.splice(0, 1);
    if (value !== undefined) return { value, done: false };
    return isOver ? { value: undefined, done: true } : undefined;
  }

  function serve(): void {
    while (wake[0] !== undefined) {
      const result = take();
      if (result === undefined) return;
      wake.shift()?.(result);
    }
  }

  function end(): void {
    isOver = true;
    left();
    serve();
  }

  return {
    push(items) {
      if (isOver) return;
      if (wake.length === 0 && waiting.length + items.length > mostWaiting) waiting = [mark()];
      else waiting.push(...items);
      serve();
    },
    reset(item) {
      waiting = [item];
      serve();
    },
    end,
    items: {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => {
        const result = take();
        return result === undefined ? new Promise((resolve) => wake.push(resolve)) : Promise.resolve(result);
      },
      return: () => {
        waiting = [];
        end();
        wake = [];
        return Promise.resolve({ value: undefined, done: true });
      },
    },
  };
}
