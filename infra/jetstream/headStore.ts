import { encodeHead, type Lane, LogUnavailable, readHead, type SignedHead, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import {
  DiscardPolicy,
  JetStreamApiCodes,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import type { NatsLink } from "./connectNats.ts";
import { hasApiCode } from "./errors.ts";

/** The signed heads of the lanes, oldest first. All methods throw `LogUnavailable`, and `CorruptHead` for what is none. */
export interface HeadStore {
  /** The last one of the lane's present epoch. */
  last(lane: Pick<Lane, "id" | "epoch">): Promise<SignedHead | undefined>;
  add(head: SignedHead): Promise<void>;
  /** All of a lane, of whatever epoch. */
  all(lane: LaneId): Promise<SignedHead[]>;
}

/** Of each epoch of a lane so many are kept: one a minute for more than a month. Every later one covers what an earlier one did. */
const keptHeads = 50_000;
const answerMs = 5_000;
const fetchMs = 2_000;

/** Makes the stream of signed heads where it is not there. */
export async function makeHeadsStream(
  manager: JetStreamManager,
  { prefix, replicas }: { readonly prefix: string; readonly replicas: number },
): Promise<void> {
  const name = subjects(prefix).headsStream;
  try {
    await manager.streams.info(name);
  } catch (error) {
    if (!hasApiCode(error, JetStreamApiCodes.StreamNotFound)) throw error;
    await manager.streams.add({
      name,
      subjects: [`${prefix}head.>`],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: keptHeads,
      deny_delete: true,
      deny_purge: true,
      num_replicas: replicas,
    });
  }
}

/** The signed heads in NATS. Only `commands` may add some. */
export function headStore(link: NatsLink, prefix: string): HeadStore {
  const names = subjects(prefix);
  const stream = names.headsStream;
  const manager = () => jetstreamManager(link.nc, { checkAPI: false, timeout: answerMs });
  return {
    last: (lane) =>
      orUnavailable(async () => {
        const found = await (await manager()).streams.getMessage(stream, {
          last_by_subj: names.head(lane.id, lane.epoch),
        });
        return found === null ? undefined : readHead(found.json());
      }),
    add: (head) =>
      orUnavailable(async () => {
        await jetstream(link.nc, { timeout: answerMs }).publish(names.head(head.lane, head.epoch), encodeHead(head));
      }),
    all: (lane) =>
      orUnavailable(async () => {
        const filter = names.head(lane, "*");
        const { state } = await (await manager()).streams.info(stream, { subjects_filter: filter });
        let left = Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
        const heads: SignedHead[] = [];
        if (left === 0) return heads;
        const consumer = await jetstream(link.nc, { timeout: answerMs }).consumers.get(stream, {
          filter_subjects: filter,
        });
        while (left > 0) {
          const before = left;
          for await (const message of await consumer.fetch({ max_messages: Math.min(left, 1_000), expires: fetchMs })) {
            heads.push(readHead(message.json()));
            left -= 1;
          }
          if (left === before) throw new LogUnavailable("The signed heads did not come in time.");
        }
        return heads;
      }),
  };
}

async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && (cause.code === "CorruptHead" || cause instanceof LogUnavailable))
      throw cause;
    throw new LogUnavailable("The signed heads can't be reached.", { cause });
  }
}
