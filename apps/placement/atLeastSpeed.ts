import { NodeError, type NodeLink } from "@connect-hub/ssh";

/** Slower than this a node is of no use; an uplink of 1 Mbit/s gives four times as much. */
const leastBytesPerSecond = 32 * 1024;
/** What it may take besides the bytes: a disk that wakes up, an fsync. */
const defaultSlackMs = 120_000;

export interface LeastSpeed {
  /** What `work` moves. */
  readonly bytes: number;
  /** Default 2 min. */
  readonly slackMs?: number;
  /** Calls the work off. */
  readonly signal?: AbortSignal;
}

/**
 * Runs `work` on a connection, which is closed when it takes longer than 2 min and 1 s for each 32 KiB: a node that says a little now and
 * then is never silent, and would hold up for ever what comes after.
 * @throws NodeError `NodeSlow` then; what `signal` gives as its reason; what `work` throws
 */
export async function atLeastSpeed<T>(
  link: NodeLink,
  { bytes, slackMs = defaultSlackMs, signal }: LeastSpeed,
  work: () => Promise<T>,
): Promise<T> {
  const mostMs = slackMs + (bytes / leastBytesPerSecond) * 1_000;
  let cause: unknown;
  const end = (why: unknown) => {
    cause ??= why;
    void link.close();
  };
  const abort = () => end(signal?.reason);
  const late = () => end(new NodeError("NodeSlow", `The node was not done with ${bytes} bytes in ${mostMs} ms.`));
  const timer = setTimeout(late, mostMs);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    return await work();
  } catch (error) {
    throw cause ?? error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
