import { setTimeout as delay } from "node:timers/promises";

/** How long to wait, and how often to look. */
export interface WaitOptions {
  readonly timeoutMs: number;
  /** Pause between two looks; default 15 ms. */
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Looks until `check` answers something other than `undefined` or `false`, and returns that; `undefined` when the time is over
 * or the signal fires. What `check` throws ends the wait.
 */
export async function waitFor<T>(
  check: () => Promise<T | undefined | false> | T | undefined | false,
  options: WaitOptions,
): Promise<T | undefined> {
  const deadline = performance.now() + options.timeoutMs;
  while (options.signal?.aborted !== true) {
    const found = await check();
    if (found !== undefined && found !== false) return found;
    if (performance.now() >= deadline) return undefined;
    await delay(options.everyMs ?? 15);
  }
  return undefined;
}
