import { EpochOver, type Lane, type StoredCommit } from "@connect-hub/domain/kernel";

/**
 * The lane, read on through an archive that closes its epoch meanwhile: then it is opened again. It is not after a restore, for what was read may
 * not have happened there: as any lane, it throws `EpochOver`.
 */
export function lastingLane(opened: Lane, open: () => Promise<Lane>): Lane {
  let present = opened;

  /** Throws `error` unless the lane goes on. */
  async function goOn(error: unknown): Promise<void> {
    if (!(error instanceof EpochOver)) throw error;
    const next = await open();
    if (next.epoch === present.epoch || !next.past?.some(({ epoch }) => epoch === present.epoch)) throw error;
    present = next;
  }

  async function ask<T>(question: (lane: Lane) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await question(present);
      } catch (error) {
        await goOn(error);
      }
    }
  }

  return {
    id: opened.id,
    get epoch() {
      return present.epoch;
    },
    get past() {
      return present.past ?? [];
    },
    append: (...given) => present.append(...given),
    readAt: (n) => ask((lane) => lane.readAt(n)),
    lastNumber: () => ask((lane) => lane.lastNumber()),
    time: () => ask((lane) => lane.time()),
    async *read(from: number, signal: AbortSignal): AsyncGenerator<readonly StoredCommit[], void> {
      for (let next = from; ; ) {
        try {
          for await (const batch of present.read(next, signal)) {
            yield batch;
            next = (batch.at(-1)?.n ?? next - 1) + 1;
          }
          return;
        } catch (error) {
          await goOn(error);
        }
      }
    },
  };
}
