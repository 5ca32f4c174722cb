import { EpochOver, type Lane, LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { JetStreamApiCodes, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { laneAppender } from "./appendToLane.ts";
import { checkLane } from "./checkLane.ts";
import type { NatsLink } from "./connectNats.ts";
import { hasApiCode, LaneUnsound } from "./errors.ts";
import { isEpochOver, readLaneEntry } from "./laneRegistry.ts";
import { readLane } from "./readLane.ts";

const readTimeoutMs = 2_000;

/**
 * One lane in its present epoch. Its `read` waits through any outage of the log; it throws `LaneHasHole` when a commit
 * is missing for good, `EpochOver` when the lane goes on in another epoch, and `LaneUnsound` when its stream is just gone. Throws `LaneNotFound`, `LaneUnsound` when the stream is
 * not what it must be, and `LogUnavailable`.
 */
export async function openLane(
  link: NatsLink,
  { prefix, id }: { readonly prefix: string; readonly id: LaneId },
): Promise<Lane> {
  const differences = await checkLane(link, { prefix, id });
  if (differences.length > 0) throw new LaneUnsound(id, differences);
  const { epoch, stream } = await readLaneEntry(link, prefix, id);
  const manager = await jetstreamManager(link.nc, { checkAPI: false, timeout: readTimeoutMs });
  const isOver = () => isEpochOver(link, prefix, id, epoch);
  const ask = async <T>(read: () => Promise<T>): Promise<T> => {
    if (!link.connected) throw new LogUnavailable("The connection to the log is down.");
    try {
      return await read();
    } catch (cause) {
      if (hasApiCode(cause, JetStreamApiCodes.StreamNotFound) && (await isOver())) throw new EpochOver(id, epoch);
      throw new LogUnavailable("The log did not answer.", { cause });
    }
  };
  return {
    id,
    epoch,
    append: laneAppender(link, { subject: subjects(prefix).log(id, epoch), stream, manager, isOver }),
    readAt: (n) => ask(() => commitAt(manager, stream, n)),
    time: () => ask(async () => timeIn(await manager.streams.info(stream))),
    lastNumber: () => ask(async () => (await manager.streams.info(stream)).state.last_seq),
    read: (from, signal) => readLane(link, { lane: id, epoch, stream, manager, isOver }, from, signal),
  };
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
