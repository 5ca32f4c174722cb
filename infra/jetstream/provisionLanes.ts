import { randomBytes } from "node:crypto";
import { LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import { type Context, contextOf, type LaneId } from "@connect-hub/domain/values";
import { JetStreamApiError, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import { checkLane } from "./checkLane.ts";
import type { NatsLink } from "./connectNats.ts";
import { LaneCountFixed, LaneUnsound } from "./errors.ts";
import { claimLane, createRegistry, findLane, fixLaneCount } from "./laneRegistry.ts";
import { laneStreamConfig } from "./laneStream.ts";

export interface ProvisionOptions {
  /** Stands before every name in NATS; empty in service. */
  readonly prefix: string;
  /** All lanes of each context that is named. */
  readonly lanes: readonly LaneId[];
  /** 1 on one box, 3 in a cluster. */
  readonly replicas: number;
  /** The reserve of each lane on the disk; when it is used up, appends are refused. */
  readonly maxBytes: number;
}

/**
 * Makes the registry and the lanes that are missing; does nothing where they are there, so that any number of processes
 * may call it at once. Throws `LaneUnsound`, `LaneCountFixed` and `LogUnavailable`.
 */
export async function provisionLanes(link: NatsLink, options: ProvisionOptions): Promise<void> {
  try {
    const manager = await jetstreamManager(link.nc, { checkAPI: false });
    const registry = await createRegistry(link, options.prefix, options.replicas);
    for (const [context, count] of countByContext(options.lanes)) await fixLaneCount(registry, context, count);
    for (const lane of options.lanes) {
      if ((await findLane(registry, lane)) === undefined) await makeLane(manager, registry, lane, options);
    }
  } catch (cause) {
    if (cause instanceof LaneCountFixed) throw cause;
    const why = cause instanceof JetStreamApiError ? `: ${cause.message}` : "";
    throw new LogUnavailable(`The lanes could not be made${why}.`, { cause });
  }
  for (const lane of options.lanes) {
    const differences = await checkLane(link, { prefix: options.prefix, id: lane });
    if (differences.length > 0) throw new LaneUnsound(lane, differences);
  }
}

/**
 * The stream comes first, then its entry: an entry without a stream is a lost log and never a new one. Who comes second
 * takes its own, empty stream away.
 */
async function makeLane(
  manager: JetStreamManager,
  registry: KV,
  lane: LaneId,
  options: ProvisionOptions,
): Promise<void> {
  const epoch = randomBytes(16).toString("hex");
  const stream = subjects(options.prefix).logStream(lane, epoch);
  await manager.streams.add(laneStreamConfig({ ...options, lane, epoch }));
  if (!(await claimLane(registry, lane, { epoch, stream }))) await manager.streams.delete(stream);
}

function countByContext(lanes: readonly LaneId[]): Map<Context, number> {
  const counts = new Map<Context, number>();
  for (const lane of lanes) counts.set(contextOf(lane), (counts.get(contextOf(lane)) ?? 0) + 1);
  return counts;
}
