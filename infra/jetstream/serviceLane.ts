import { type Lane, LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { AckPolicy, DeliverPolicy, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { nanos, nuid } from "@nats-io/nats-core";
import type { NatsLink } from "./connectNats.ts";
import { isEpochOver, readLaneEntry } from "./laneRegistry.ts";
import { readEpochs } from "./openLane.ts";
import { pastCommits } from "./pastCommits.ts";

const answerMs = 3_000;

/**
 * One lane in its present epoch, for an internal service: it may make consumers on the subjects of its contexts and nothing else, so
 * all goes by these. Throws `LaneNotFound` and `LogUnavailable`; reading throws as that of `openLane` does.
 */
export async function openServiceLane(
  link: NatsLink,
  { prefix, id }: { readonly prefix: string; readonly id: LaneId },
): Promise<Pick<Lane, "id" | "epoch" | "lastNumber" | "read">> {
  const { epoch, stream, first = 1 } = await readLaneEntry(link, prefix, id);
  const manager = await jetstreamManager(link.nc, { checkAPI: false, timeout: answerMs });
  const onlySubject = subjects(prefix).log(id, epoch);
  const isOver = () => isEpochOver(link, prefix, id, epoch);
  const target = { lane: id, epoch, stream, manager, onlySubject, isOver };
  const before = pastCommits(link, { prefix, id, epoch, manager, bySubject: true });
  return {
    id,
    epoch,
    async lastNumber() {
      try {
        return await newestNumber(manager, stream, onlySubject);
      } catch (cause) {
        throw new LogUnavailable(`The end of ${id} can't be asked for.`, { cause });
      }
    },
    read: (from, signal) => readEpochs(link, { target, first, before }, from, signal),
  };
}

/** By a consumer that begins with the newest message: what it would have delivered before, and what it has still to deliver. */
async function newestNumber(manager: JetStreamManager, stream: string, subject: string): Promise<number> {
  const { delivered, num_pending } = await manager.consumers.add(stream, {
    name: `head_${nuid.next()}`,
    filter_subject: subject,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.Last,
    inactive_threshold: nanos(1_000),
    mem_storage: true,
    num_replicas: 1,
  });
  return delivered.stream_seq + num_pending;
}
