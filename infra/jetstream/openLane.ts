import {
  closesEpoch,
  EpochOver,
  type Lane,
  LogUnavailable,
  pause,
  type StoredCommit,
  subjects,
} from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { JetStreamApiCodes, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { laneAppender } from "./appendToLane.ts";
import { checkLane } from "./checkLane.ts";
import type { NatsLink } from "./connectNats.ts";
import { ArchiveUnsound, hasApiCode, LaneUnsound } from "./errors.ts";
import { isEpochOver, readLaneEntry } from "./laneRegistry.ts";
import { type PastCommits, pastCommits } from "./pastCommits.ts";
import { type ReadTarget, readLane } from "./readLane.ts";

const readTimeoutMs = 2_000;
const overPollMs = 100;

export interface OpenLaneOptions {
  readonly prefix: string;
  readonly id: LaneId;
  /** The folder of the commits that are not in NATS any more; only who reads those needs it. */
  readonly archiveDir?: string | undefined;
}

/**
 * One lane in its present epoch. Its `read` waits through any outage of the log; it throws `LaneHasHole` when a commit
 * is missing for good, `EpochOver` when the lane goes on in another epoch, and `LaneUnsound` when its stream is just gone. Throws `LaneNotFound`, `LaneUnsound` when the stream is
 * not what it must be, and `LogUnavailable`.
 */
export async function openLane(link: NatsLink, options: OpenLaneOptions): Promise<Lane> {
  const { prefix, id } = options;
  const differences = await checkLane(link, { prefix, id });
  if (differences.length > 0) throw new LaneUnsound(id, differences);
  const { epoch, stream, first = 1, past = [] } = await readLaneEntry(link, prefix, id);
  const manager = await jetstreamManager(link.nc, { checkAPI: false, timeout: readTimeoutMs });
  const isOver = () => isEpochOver(link, prefix, id, epoch);
  const ask = async <T>(read: () => Promise<T>): Promise<T> => {
    if (!link.connected) throw new LogUnavailable("The connection to the log is down.");
    try {
      return await read();
    } catch (cause) {
      if (cause instanceof ArchiveUnsound || cause instanceof LogUnavailable) throw cause;
      if (hasApiCode(cause, JetStreamApiCodes.StreamNotFound) && (await isOver())) throw new EpochOver(id, epoch);
      throw new LogUnavailable("The log did not answer.", { cause });
    }
  };
  const info = () =>
    ask(async () => {
      const found = await manager.streams.info(stream);
      // An epoch that was closed may have its stream for long.
      if (found.config.sealed && (await isOver())) throw new EpochOver(id, epoch);
      return found;
    });
  const before = pastCommits(link, { ...options, manager, epoch });
  const target = { lane: id, epoch, stream, manager, isOver };
  return {
    id,
    epoch,
    past: past.map(({ epoch: closed, last }) => ({ epoch: closed, last })),
    append: laneAppender(link, { subject: subjects(prefix).log(id, epoch), stream, manager, isOver }),
    readAt: (n) => ask(() => (n < first ? before.readAt(n) : commitAt(manager, stream, n))),
    time: async () => timeIn(await info()),
    lastNumber: async () => (await info()).state.last_seq,
    read: (from, signal) => readEpochs(link, { target, first, before }, from, signal),
  };
}

/** The commits from `from` on, through all epochs, until the lane goes on in another one. */
async function* readEpochs(
  link: NatsLink,
  { target, first, before }: { readonly target: ReadTarget; readonly first: number; readonly before: PastCommits },
  from: number,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredCommit[], void> {
  if (from < first) yield* before.read(from, first - 1, signal);
  for await (const batch of readLane(link, target, Math.max(from, first), signal)) {
    yield batch;
    const last = batch.at(-1);
    if (last !== undefined && closesEpoch(last.bytes, target.epoch)) await untilOver(target, signal);
  }
}

/** The lane was closed to go on in its next epoch: its stream may be there for long, but nothing comes in it. Throws `EpochOver`. */
async function untilOver({ lane, epoch, isOver }: ReadTarget, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (await isOver()) throw new EpochOver(lane, epoch);
    await pause(overPollMs, signal);
  }
}

async function commitAt(manager: JetStreamManager, stream: string, n: number) {
  if (n < 1) return undefined;
  const message = await manager.streams.getMessage(stream, { seq: n });
  return message === null ? undefined : { bytes: message.data };
}

/** When the server answered, by its own clock; nats-server has said so since 2.10. */
function timeIn(info: object): number {
  return "ts" in info && typeof info.ts === "string" ? Date.parse(info.ts) : Number.NaN;
}
