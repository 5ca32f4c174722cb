import type { AppendOutcome, AppendRefusal, Lane, StoredCommit } from "../kernel/ports.ts";
import { EpochOver, LogUnavailable } from "../kernel/ports.ts";
import type { LaneId } from "../values/ids.ts";

/**
 * What goes wrong with one append. `unclearStoredLater`: its bytes are held and meet the log only at `release`, which
 * stores them if their expectation still holds then. `wrongLast`: a right expectation is refused, as a cluster may do.
 */
export type AppendFault =
  | "unclearStored"
  | "unclearNotStored"
  | "unclearStoredLater"
  | "wrongLast"
  | { readonly refused: AppendRefusal };

/** A lane in memory, with switches for what a real one does on bad days. */
export interface MemoryLane extends Lane {
  /** Everything stored, from commit 1 on. */
  readonly commits: readonly StoredCommit[];
  /** How often `append` was called. */
  readonly appends: number;
  /** The next appends meet these faults, one each; the ones after them none. */
  failNext(...faults: readonly AppendFault[]): void;
  /** Lets held bytes reach the log; how many of them were stored. */
  release(): number;
  /** Appends as another writer would; its number. */
  appendForeign(bytes: Uint8Array): number;
  /** While set, reads throw `LogUnavailable`, readers see nothing new and appends are unclear and not stored. */
  away: boolean;
  /** The lane goes on in another epoch: this one is over for whoever holds it. */
  endEpoch(): void;
}

interface MemoryLaneOptions {
  readonly id?: LaneId;
  readonly epoch?: string;
  /** The log's own clock, in milliseconds; the machine's if left out. */
  readonly now?: () => number;
  /** Runs in every append before anything else: a place to wait, so that more commands gather behind it. */
  readonly beforeAppend?: () => Promise<void>;
}

const readBatch = 500;

/** Makes an empty lane in memory. */
export function memoryLane(options: MemoryLaneOptions = {}): MemoryLane {
  const now = options.now ?? Date.now;
  const stored: StoredCommit[] = [];
  const faults: AppendFault[] = [];
  const held: { readonly bytes: Uint8Array; readonly expectedLast: number }[] = [];
  const readers = new Set<() => void>();
  let appends = 0;
  let away = false;
  let isOver = false;
  const id = options.id ?? "rooms.0";
  const epoch = options.epoch ?? "00000000000000000000000000000000";

  const wakeReaders = () => {
    for (const wake of [...readers]) wake();
  };
  const store = (bytes: Uint8Array): number => {
    stored.push({ n: stored.length + 1, bytes: bytes.slice() });
    wakeReaders();
    return stored.length;
  };
  const storeIf = (bytes: Uint8Array, expectedLast: number): AppendOutcome => {
    if (stored.length !== expectedLast) return "wrongLast";
    store(bytes);
    return "stored";
  };
  const reachable = () => {
    if (away) throw new LogUnavailable("The log is switched away.");
    if (isOver) throw new EpochOver(id, epoch);
  };

  return {
    id,
    epoch,
    commits: stored,
    get appends() {
      return appends;
    },
    get away() {
      return away;
    },
    set away(value) {
      away = value;
      wakeReaders();
    },
    failNext: (...more) => void faults.push(...more),
    release: () => held.splice(0).filter(({ bytes, expectedLast }) => storeIf(bytes, expectedLast) === "stored").length,
    appendForeign: store,
    endEpoch() {
      isOver = true;
      wakeReaders();
    },

    async append(bytes, expectedLast) {
      appends += 1;
      await options.beforeAppend?.();
      if (isOver && !away) return "epochOver";
      const fault = away ? "unclearNotStored" : faults.shift();
      if (fault === "unclearStored") storeIf(bytes, expectedLast);
      if (fault === "unclearStoredLater") held.push({ bytes: bytes.slice(), expectedLast });
      if (fault === undefined) return storeIf(bytes, expectedLast);
      if (fault === "wrongLast" || typeof fault === "object") return fault;
      return "unclear";
    },
    async readAt(n) {
      reachable();
      const commit = stored[n - 1];
      return commit && { bytes: commit.bytes };
    },
    async time() {
      reachable();
      return now();
    },
    async lastNumber() {
      reachable();
      return stored.length;
    },
    async *read(from, signal) {
      let next = from;
      while (!signal.aborted) {
        if (!away) reachable();
        const batch = away ? [] : stored.slice(next - 1, next - 1 + readBatch);
        if (batch.length === 0) {
          await wakened(readers, signal);
          continue;
        }
        next += batch.length;
        yield batch.map(({ n, bytes }) => ({ n, bytes }));
      }
    },
  };
}

/** Resolves at the next change of the lane, or when `signal` aborts. */
function wakened(readers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      readers.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    readers.add(wake);
    signal.addEventListener("abort", wake);
    if (signal.aborted) wake();
  });
}
