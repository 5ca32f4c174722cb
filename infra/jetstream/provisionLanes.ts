import { randomBytes } from "node:crypto";
import { LogUnavailable, pause, subjects } from "@connect-hub/domain/kernel";
import { type Context, contextOf, type LaneId } from "@connect-hub/domain/values";
import { JetStreamApiCodes, JetStreamApiError, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { checkLane } from "./checkLane.ts";
import type { NatsLink } from "./connectNats.ts";
import { makeEdgesStream } from "./edgeRegistry.ts";
import { hasApiCode, LaneCountFixed, LaneUnsound } from "./errors.ts";
import { makeHeadsStream } from "./headStore.ts";
import { claimLane, createRegistry, findLane, fixLaneCount } from "./laneRegistry.ts";
import { laneStreamConfig } from "./laneStream.ts";

export interface ProvisionOptions {
  /** Stands before every name in NATS; empty in service. */
  readonly prefix: string;
  /** All lanes of each context that is named. */
  readonly lanes: readonly LaneId[];
  /** 1 on one box, 3 in a cluster; what is there already is changed to this. */
  readonly replicas: number;
  /** The reserve of each lane on the disk; when it is used up, appends are refused. */
  readonly maxBytes: number;
}

const answerMs = 3_000;
const attemptsMs = 20_000;
const pauseMs = 200;

/**
 * Makes the registry, the lanes and the streams of signed heads and of edges that are missing; where they are there it changes their replicas at most, so that any number
 * of processes may call it at once. Throws `LaneUnsound`, `LaneCountFixed` and `LogUnavailable`.
 */
export async function provisionLanes(link: NatsLink, options: ProvisionOptions): Promise<void> {
  const endsAt = Date.now() + attemptsMs;
  const epochs = new Map(options.lanes.map((lane) => [lane, randomBytes(16).toString("hex")]));
  for (;;) {
    try {
      await makeMissing(link, options, epochs);
      break;
    } catch (cause) {
      if (cause instanceof LaneCountFixed) throw cause;
      const isFinal = cause instanceof JetStreamApiError;
      // A cluster may leave the second of two equal requests at one time without an answer (seen on 2.15.1).
      if (!isFinal && Date.now() < endsAt) await pause(pauseMs);
      else throw new LogUnavailable(`The lanes could not be made${isFinal ? `: ${cause.message}` : ""}.`, { cause });
    }
  }
  for (const lane of options.lanes) {
    const differences = await checkLane(link, { prefix: options.prefix, id: lane });
    if (differences.length > 0) throw new LaneUnsound(lane, differences);
  }
}

/** `epochs`: those of the lanes that are made here; the same at each attempt, so that no attempt leaves a stream behind. */
async function makeMissing(
  link: NatsLink,
  options: ProvisionOptions,
  epochs: ReadonlyMap<LaneId, string>,
): Promise<void> {
  const manager = await jetstreamManager(link.nc, { checkAPI: false, timeout: answerMs });
  const registry = await createRegistry(link, options.prefix, options.replicas);
  for (const [context, count] of countByContext(options.lanes)) await fixLaneCount(registry, context, count);
  await keepReplicas(manager, `KV_${subjects(options.prefix).lanesBucket}`, options.replicas);
  await makeHeadsStream(manager, options);
  await keepReplicas(manager, subjects(options.prefix).headsStream, options.replicas);
  await makeEdgesStream(manager, options);
  await keepReplicas(manager, subjects(options.prefix).edgesStream, options.replicas);
  for (const [lane, epoch] of epochs) {
    const there = await findLane(registry, lane);
    if (there !== undefined) {
      await keepReplicas(manager, there.stream, options.replicas);
      continue;
    }
    // The stream comes first, then its entry: an entry without a stream is a lost log and never a new one. Who comes
    // second takes its own, empty stream away.
    const stream = subjects(options.prefix).logStream(lane, epoch);
    await manager.streams.add(laneStreamConfig({ ...options, lane, epoch }));
    const standing = await claimLane(registry, lane, { epoch, stream });
    if (standing.stream !== stream) await manager.streams.delete(stream);
  }
}

/** A box may have become a cluster since. A stream that is gone is found by the check that follows. */
async function keepReplicas(manager: JetStreamManager, stream: string, replicas: number): Promise<void> {
  try {
    const { config } = await manager.streams.info(stream);
    if (config.num_replicas !== replicas) await manager.streams.update(stream, { num_replicas: replicas });
  } catch (error) {
    if (!hasApiCode(error, JetStreamApiCodes.StreamNotFound)) throw error;
  }
}

function countByContext(lanes: readonly LaneId[]): Map<Context, number> {
  const counts = new Map<Context, number>();
  for (const lane of lanes) counts.set(contextOf(lane), (counts.get(contextOf(lane)) ?? 0) + 1);
  return counts;
}
