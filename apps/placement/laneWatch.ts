import { decodeCommit, type Lane, pause } from "@connect-hub/domain/kernel";

export interface LaneWatchOptions {
  readonly lane: Lane;
  /** Event types to be told of. */
  readonly types: readonly string[];
  onEvent(type: string): void;
  onTrouble(error: unknown): void;
}

const retryMs = 1_000;

/** Tells of events of these types from the head on. Best effort: what it misses is found at the next tick. */
export function watchLane({ lane, types, onEvent, onTrouble }: LaneWatchOptions): { close(): Promise<void> } {
  const closing = new AbortController();

  async function follow(): Promise<void> {
    const head = await lane.lastNumber();
    for await (const batch of lane.read(head + 1, closing.signal))
      for (const { bytes } of batch) for (const type of typesIn(bytes, types)) onEvent(type);
  }

  async function followOn(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await follow();
      } catch (error) {
        onTrouble(error);
        await pause(retryMs, closing.signal);
      }
    }
  }

  const following = followOn();
  return {
    async close() {
      closing.abort();
      await following;
    },
  };
}

function typesIn(bytes: Uint8Array, types: readonly string[]): readonly string[] {
  // Most commits hold none of them, and decoding takes time.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!types.some((type) => text.includes(type))) return [];
  const events = decodeCommit(bytes).entries.flatMap((entry) => entry.events);
  return events.map(({ type }) => type).filter((type) => types.includes(type));
}
