/** Too much work is under way already: try again later. */
export class PasswordsBusy extends Error {
  readonly code = "Busy";

  constructor() {
    super("too many passwords are being hashed or checked; try again");
  }
}

export interface BoundedQueueOptions {
  /** Pieces of work under way at a time. */
  readonly maxConcurrent: number;
  /** Pieces of work that wait; one more is refused. */
  readonly maxWaiting: number;
}

/** Runs work in the order of arrival, bounded; what it returns rejects with `PasswordsBusy` when too much waits. */
export function boundedQueue(options: BoundedQueueOptions): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < options.maxConcurrent) running++;
    else if (waiting.length >= options.maxWaiting) throw new PasswordsBusy();
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes to the next one as it is, so that nobody can slip in between.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
