import { LogUnavailable } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { JetStreamApiCodes, jetstreamManager } from "@nats-io/jetstream";
import type { NatsLink } from "./connectNats.ts";
import { hasApiCode, type LaneDifference } from "./errors.ts";
import { readLaneEntry } from "./laneRegistry.ts";
import { laneStreamDifferences } from "./laneStream.ts";

/**
 * How a lane's stream differs from what it must be: its configuration, its first number, holes in it. Empty when it is
 * sound. Throws `LaneNotFound` and `LogUnavailable`.
 */
export async function checkLane(
  link: NatsLink,
  { prefix, id }: { readonly prefix: string; readonly id: LaneId },
): Promise<LaneDifference[]> {
  const { epoch, stream, first } = await readLaneEntry(link, prefix, id);
  try {
    const manager = await jetstreamManager(link.nc, { checkAPI: false });
    return laneStreamDifferences(await manager.streams.info(stream), { prefix, lane: id, epoch, first });
  } catch (cause) {
    if (hasApiCode(cause, JetStreamApiCodes.StreamNotFound)) return [{ field: "stream", is: "missing", must: stream }];
    throw new LogUnavailable(`The stream of lane ${id} can't be inspected.`, { cause });
  }
}
