import { EpochOver, pause, type StoredCommit } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { JetStreamApiCodes, type JetStreamManager } from "@nats-io/jetstream";
import type { NatsLink } from "./connectNats.ts";
import { hasApiCode, LaneHasHole, LaneUnsound } from "./errors.ts";
import { type LanePull, openLanePull } from "./lanePull.ts";

export interface ReadTarget {
  readonly lane: LaneId;
  readonly epoch: string;
  readonly stream: string;
  readonly manager: JetStreamManager;
  /** Whether the lane is in another epoch by now. */
  isOver(): Promise<boolean>;
}

const retryPauseMs = 100;

/**
 * Reads the commits from `from` on. Each pull ends with the connection or with its consumer; the next one starts where
 * the last commit that was given away ended, so nothing is given twice and nothing is left out.
 */
export async function* readLane(
  link: NatsLink,
  target: ReadTarget,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredCommit[], void> {
  let next = from;
  let holeAt = 0;
  while (!signal.aborted) {
    const pull = await tryToOpen(link, target, next, signal);
    if (pull === undefined) {
      await moment(link, signal);
      continue;
    }
    try {
      for (let batch = await pull.take(); batch !== undefined; batch = await pull.take()) {
        const commits = batch[0] !== undefined && batch[0].n < next ? batch.filter(({ n }) => n >= next) : batch;
        const sound = contiguousPart(commits, next);
        if (sound.length > 0) {
          next += sound.length;
          yield sound;
        }
        const odd = commits[sound.length];
        if (odd === undefined) continue;
        // Once may be a lost delivery; the same place again, first thing of a new pull, is a hole in the log.
        if (holeAt === next) throw new LaneHasHole(target.lane, next, odd.n);
        holeAt = next;
        break;
      }
    } finally {
      pull.close();
    }
  }
}

async function tryToOpen(
  link: NatsLink,
  target: ReadTarget,
  from: number,
  signal: AbortSignal,
): Promise<LanePull | undefined> {
  try {
    return link.connected ? await openLanePull(link, target, from, signal) : undefined;
  } catch (error) {
    if (!hasApiCode(error, JetStreamApiCodes.StreamNotFound)) return undefined;
    if (await target.isOver()) throw new EpochOver(target.lane, target.epoch);
    throw new LaneUnsound(target.lane, [{ field: "stream", is: "missing", must: target.stream }]);
  }
}

/** Those at the beginning that follow one another from `next` on. */
function contiguousPart(commits: readonly StoredCommit[], next: number): readonly StoredCommit[] {
  const odd = commits.findIndex(({ n }, index) => n !== next + index);
  return odd === -1 ? commits : commits.slice(0, odd);
}

/** A moment, or shorter when the signal aborts; and then until the connection stands. */
async function moment(link: NatsLink, signal: AbortSignal): Promise<void> {
  await pause(retryPauseMs, signal);
  if (!signal.aborted) await link.whenConnected(retryPauseMs);
}
