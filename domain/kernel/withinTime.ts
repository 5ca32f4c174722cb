/**
 * Does `work` with a signal that aborts when `ms` are over, with a `TimeoutError` as its reason, or when `signal` does. By a timer of its
 * own: what AbortSignal.any makes of AbortSignal.timeout, Node 20 may collect as garbage, and then nothing ever times out.
 */
export async function withinTime<T>(
  ms: number,
  signal: AbortSignal,
  work: (ended: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(new DOMException("it took too long", "TimeoutError")), ms);
  const end = (): void => ending.abort(signal.reason);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  try {
    return await work(ending.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}
