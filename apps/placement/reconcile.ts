import type { BlobStore } from "@connect-hub/blobs";
import { pause } from "@connect-hub/domain/kernel";
import type { Logger } from "pino";

/** What the log says of bytes. */
export interface RecordedBlob {
  readonly hash: string;
  /** Whether it promises that the server has them. */
  readonly local: boolean;
  /** On how many nodes they are. */
  readonly replicas: number;
}

export interface ReconcileOptions {
  readonly store: Pick<BlobStore, "sizeOf">;
  readonly log: Logger;
  readonly everyMs: number;
  /** The number of the last commit. */
  head(): Promise<number>;
  /** The commit up to which the tables are. */
  tablesAt(): Promise<number>;
  /** By the tables; all that there are, when no hashes are given. */
  recorded(hashes?: readonly string[]): AsyncIterable<RecordedBlob>;
  /** Has the log know that the server doesn't promise these bytes. */
  release(hash: string): Promise<void>;
}

/** Looks after what was dropped. */
export interface Reconciliation {
  /** The server's copy was removed. */
  dropped(hash: string): void;
  close(): Promise<void>;
}

/**
 * Takes back promises that the disk can't keep while nodes can: an upload of the same bytes may have promised them between the log's leave
 * to drop them and their end. Looks at what was just dropped, and at the start at everything.
 */
export function reconcile(options: ReconcileOptions): Reconciliation {
  const { store, log, everyMs, head, tablesAt, recorded, release } = options;
  const stop = new AbortController();
  const dropped = new Set<string>();

  /** Waits until the tables know all that was said of these, and looks at them; at all that there are, when none are given. */
  async function lookAt(hashes?: readonly string[]): Promise<void> {
    let since: number | undefined;
    while (!stop.signal.aborted) {
      try {
        since ??= await head();
        if ((await tablesAt()) >= since) return await releaseGone(hashes);
      } catch (error) {
        log.warn({ err: error }, "what was dropped can't be looked at; trying again");
      }
      await pause(everyMs, stop.signal);
    }
  }

  async function releaseGone(hashes?: readonly string[]): Promise<void> {
    for await (const { hash, local, replicas } of recorded(hashes)) {
      if (stop.signal.aborted) return;
      if (!local || replicas === 0 || (await store.sizeOf(hash)) !== undefined) continue;
      log.warn({ hash }, "the server was said to have bytes that only nodes have");
      await release(hash);
    }
  }

  async function run(): Promise<void> {
    await lookAt();
    while (!stop.signal.aborted) {
      const hashes = [...dropped];
      dropped.clear();
      if (hashes.length > 0) await lookAt(hashes);
      await pause(everyMs, stop.signal);
    }
  }

  const running = run();
  return {
    dropped: (hash) => void dropped.add(hash),
    async close() {
      stop.abort();
      await running;
    },
  };
}
