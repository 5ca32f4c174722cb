import { type AppendOutcome, type Lane, LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import type { Context, LaneId } from "@connect-hub/domain/values";
import { JetStreamApiCodes, type JetStreamManager, jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import { TimeoutError } from "@nats-io/nats-core";
import { laneAppender } from "./appendToLane.ts";
import type { NatsLink } from "./connectNats.ts";
import { hasApiCode, LaneUnsound } from "./errors.ts";
import { createRegistry, fixLaneCount, listLanes, putLane, readLaneEntry } from "./laneRegistry.ts";
import { laneStreamConfig, laneStreamDifferences } from "./laneStream.ts";

// How a lane goes on in another epoch, as a restore does it: the stream of the next epoch is made and filled while nobody
// knows of it, the former one is closed for ever, the registry is told, the former one is removed.

export interface NextEpochOptions {
  readonly prefix: string;
  readonly lane: LaneId;
  /** 32 hex digits. */
  readonly epoch: string;
  /** The number of its first commit; 1, as after a restore, if left out. */
  readonly first?: number;
  readonly replicas: number;
  readonly maxBytes: number;
}

/** The stream of an epoch that the registry does not name yet. */
export interface NextEpoch {
  /** The last number in it; more than 0 when an earlier attempt filled a part. */
  lastNumber(): Promise<number>;
  readAt(n: number): ReturnType<Lane["readAt"]>;
  append(bytes: Uint8Array, expectedLast: number): Promise<AppendOutcome>;
}

const answerMs = 10_000;
const makeMs = 1_500;
const makeAttempts = 7;

/**
 * Makes the stream of a lane's next epoch where it is not there. `admin` may make streams, `writer` may append. Throws
 * `LogUnavailable`, and `LaneUnsound` when a stream of that name is another one.
 */
export async function openNextEpoch(admin: NatsLink, writer: NatsLink, options: NextEpochOptions): Promise<NextEpoch> {
  const manager = await managerOf(admin);
  const stream = subjects(options.prefix).logStream(options.lane, options.epoch);
  const impatient = await managerOf(admin, makeMs);
  const info = await orUnavailable(async () => {
    for (let attempt = 1; ; attempt++) {
      try {
        const there = await unlessMissing(() => impatient.streams.info(stream));
        return there ?? (await impatient.streams.add(laneStreamConfig(options)));
      } catch (error) {
        // A cluster that several ask for one stream at once may leave one of them without an answer, and has it.
        if (!(error instanceof TimeoutError) || attempt === makeAttempts) throw error;
      }
    }
  });
  const differences = laneStreamDifferences(info, options);
  if (differences.length > 0) throw new LaneUnsound(options.lane, differences);
  const target = { subject: subjects(options.prefix).log(options.lane, options.epoch), stream, manager };
  return {
    lastNumber: () => orUnavailable(async () => (await manager.streams.info(stream)).state.last_seq),
    readAt: (n) =>
      orUnavailable(async () => {
        const message = n < 1 ? null : await manager.streams.getMessage(stream, { seq: n });
        return message === null ? undefined : { bytes: message.data };
      }),
    append: laneAppender(writer, { ...target, isOver: async () => false }),
  };
}

/**
 * Closes the present stream of a lane for ever: nothing can be appended to it from now on. Does nothing where there is none, or
 * where the lane is in the epoch `next` already.
 */
export async function sealLane(
  admin: NatsLink,
  { prefix, lane, next }: { readonly prefix: string; readonly lane: LaneId; readonly next: string },
): Promise<void> {
  const entry = await orUnavailable(async () => (await listLanes(admin, prefix)).find((one) => one.lane === lane));
  if (entry !== undefined && entry.epoch !== next) await sealStream(admin, entry.stream);
}

/** Closes a stream for ever; what it reserved and does not need is free. Does nothing where there is none, or where it is closed. */
export async function sealStream(admin: NatsLink, stream: string): Promise<void> {
  const manager = await managerOf(admin);
  await orUnavailable(() =>
    unlessMissing(async () => {
      const { config, state } = await manager.streams.info(stream);
      const closed: Partial<StreamConfig> = { sealed: true, max_bytes: state.bytes + spareBytes };
      if (!config.sealed) await manager.streams.update(stream, closed);
    }),
  );
}

/** Removes a stream with all that is in it, if it is there. */
export async function removeStream(admin: NatsLink, stream: string): Promise<void> {
  const manager = await managerOf(admin);
  await orUnavailable(() => unlessMissing(() => manager.streams.delete(stream)));
}

/** The lane goes on in this epoch from now on: the one step that counts. Throws `LaneCountFixed` and `LogUnavailable`. */
export async function enterEpoch(
  admin: NatsLink,
  { prefix, lane, epoch, replicas }: Omit<NextEpochOptions, "maxBytes" | "first">,
): Promise<void> {
  const stream = subjects(prefix).logStream(lane, epoch);
  await orUnavailable(async () => putLane(await createRegistry(admin, prefix, replicas), lane, { epoch, stream }));
}

/** Throws `LaneCountFixed` when the log has another number of lanes of a context; fixes it where there is none yet. */
export async function fixLaneCounts(
  admin: NatsLink,
  { prefix, counts, replicas }: { prefix: string; counts: ReadonlyMap<Context, number>; replicas: number },
): Promise<void> {
  const registry = await createRegistry(admin, prefix, replicas);
  for (const [context, count] of counts) await fixLaneCount(registry, context, count);
}

/** Removes the streams of all epochs that the registry does not name: whatever was in them is gone. How many there were. */
export async function removeFormerEpochs(
  admin: NatsLink,
  { prefix, present }: { prefix: string; present: readonly string[] },
): Promise<number> {
  const manager = await managerOf(admin);
  return orUnavailable(async () => {
    const former: string[] = [];
    for await (const { config } of manager.streams.list(`${prefix}log.>`)) {
      if (!present.includes(config.name)) former.push(config.name);
    }
    for (const stream of former) await unlessMissing(() => manager.streams.delete(stream));
    return former.length;
  });
}

/** About how many bytes a lane's commits have in its stream. Throws `LogUnavailable`. */
export async function laneBytes(link: NatsLink, stream: string): Promise<number> {
  const manager = await managerOf(link);
  return orUnavailable(async () => (await manager.streams.info(stream)).state.bytes);
}

/** How many bytes the stream of a lane has, and how many it may have. Throws `LaneNotFound` and `LogUnavailable`. */
export async function laneSize(
  link: NatsLink,
  prefix: string,
  lane: LaneId,
): Promise<{ readonly bytes: number; readonly maxBytes: number }> {
  const { stream } = await readLaneEntry(link, prefix, lane);
  const manager = await managerOf(link);
  return orUnavailable(async () => {
    const { config, state } = await manager.streams.info(stream);
    return { bytes: state.bytes, maxBytes: config.max_bytes };
  });
}

/** Sets a lane's reserve on the disk, once there is room for it again. */
export async function setReserve(admin: NatsLink, stream: string, maxBytes: number): Promise<void> {
  const manager = await managerOf(admin);
  await orUnavailable(() => manager.streams.update(stream, { max_bytes: maxBytes }));
}

/** Of a closed stream's reserve, beyond what is in it. */
const spareBytes = 64 * 1024;

function managerOf(link: NatsLink, timeout = answerMs): Promise<JetStreamManager> {
  return jetstreamManager(link.nc, { checkAPI: false, timeout });
}

async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!hasApiCode(error, JetStreamApiCodes.StreamNotFound)) throw error;
    return undefined;
  }
}

async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LogUnavailable(`The log did not do what was asked: ${why}`, { cause });
  }
}
