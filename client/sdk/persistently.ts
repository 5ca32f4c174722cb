import { HubError, type HubErrorName } from "./hubError.ts";

const leastWaitMs = 250;
const mostWaitMs = 10_000;
/** Not to be repeated as they were, but the next attempt asks how far it is, and goes on from there. */
const goneOnWith: ReadonlySet<HubErrorName> = new Set(["UploadCut", "WrongOffset", "UploadNotFound"] as const);

/**
 * Attempts it until it succeeds: waits a random time in between, at first up to 250 ms, doubling up to 10 s, or as long as the server said.
 * Throws what can't be tried again, what the server wants a longer wait for, and what it was when nothing moved for `patienceMs`.
 * @param attempt tells how far it is where it begins
 */
export async function persistently<T>(
  attempt: (told: (reached: number) => void) => Promise<T>,
  { patienceMs, signal }: { readonly patienceMs: number; readonly signal?: AbortSignal | undefined },
): Promise<T> {
  let reached = -1;
  let stuckSince: number | undefined;
  let waitMs = leastWaitMs;
  for (;;) {
    try {
      return await attempt((now) => {
        if (now > reached) stuckSince = undefined;
        reached = now;
      });
    } catch (error) {
      if (!(error instanceof HubError) || !(error.retry || goneOnWith.has(error.name))) throw error;
      if (stuckSince === undefined) waitMs = leastWaitMs;
      stuckSince ??= Date.now();
      const afterMs = error.afterMs ?? 0;
      if (afterMs > mostWaitMs || Date.now() - stuckSince >= patienceMs) throw error;
      await pause(Math.max(afterMs, Math.random() * waitMs), signal);
      waitMs = Math.min(waitMs * 2, mostWaitMs);
    }
  }
}

/** Throws the signal's reason. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
