import { type Lane, LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { laneAppender } from "./appendToLane.ts";
import { checkLane } from "./checkLane.ts";
import type { NatsLink } from "./connectNats.ts";
import { LaneUnsound } from "./errors.ts";
import { readLaneEntry } from "./laneRegistry.ts";
import { readLane } from "./readLane.ts";

const readTimeoutMs = 2_000;

/**
 * One lane in its present epoch. Its `read` waits through any outage of the log; it throws `LaneHasHole` when a commit
 * is missing for good, and `LaneUnsound` when its stream is gone. Throws `LaneNotFound`, `LaneUnsound` when the stream is
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
  return {
    id,
    epoch,
    append: laneAppender(link, { subject: subjects(prefix).log(id, epoch), stream, manager }),
    readAt: (n) => orUnavailable(link, () => commitAt(manager, stream, n)),
    time: () => orUnavailable(link, async () => timeIn(await manager.streams.info(stream))),
    lastNumber: () => orUnavailable(link, async () => (await manager.streams.info(stream)).state.last_seq),
    read: (from, signal) => readLane(link, { lane: id, stream, manager }, from, signal),
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

async function orUnavailable<T>(link: NatsLink, read: () => Promise<T>): Promise<T> {
  if (!link.connected) throw new LogUnavailable("The connection to the log is down.");
  try {
    return await read();
  } catch (cause) {
    throw new LogUnavailable("The log did not answer.", { cause });
  }
}
