import { LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import {
  DiscardPolicy,
  JetStreamApiCodes,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";
import type { NatsLink } from "./connectNats.ts";
import { hasApiCode } from "./errors.ts";

/** Which edges say that they serve. All methods throw `LogUnavailable`. */
export interface EdgeRegistry {
  /** Says that the edge `id` is there; resolves when that is stored. It counts for 6 s. */
  announce(id: string): Promise<void>;
  /** Says that it serves no more; it is listed for a second yet. */
  withdraw(id: string): Promise<void>;
  /** The edges of which what they said counts. */
  list(): Promise<readonly string[]>;
}

/** How long what an edge said of itself counts. */
const edgeEntryMs = 6_000;
const answerMs = 2_000;

/** Makes the stream where it is not there. It outlives a restart of NATS, as the edges do. */
export async function makeEdgesStream(
  manager: JetStreamManager,
  { prefix, replicas }: { readonly prefix: string; readonly replicas: number },
): Promise<void> {
  const { edgesStream: name, edge } = subjects(prefix);
  try {
    await manager.streams.info(name);
  } catch (error) {
    if (!hasApiCode(error, JetStreamApiCodes.StreamNotFound)) throw error;
    await manager.streams.add({
      name,
      subjects: [edge("*")],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
      max_age: nanos(edgeEntryMs),
      allow_msg_ttl: true,
      num_replicas: replicas,
    });
  }
}

/** The registry in NATS. Only edges may write there. */
export function edgeRegistry(link: NatsLink, prefix: string): EdgeRegistry {
  const { edgesStream, edge } = subjects(prefix);
  const say = async (id: string, ttl?: string) => {
    const client = jetstream(link.nc, { timeout: answerMs });
    await client.publish(edge(id), "", { retries: 0, ...(ttl && { ttl }) });
  };
  return {
    announce: (id) => orUnavailable(() => say(id)),
    withdraw: (id) => orUnavailable(() => say(id, "1s")),
    list: () =>
      orUnavailable(async () => {
        const manager = await jetstreamManager(link.nc, { checkAPI: false, timeout: answerMs });
        const { state } = await manager.streams.info(edgesStream, { subjects_filter: edge("*") });
        const before = edge("").length;
        return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(before));
      }),
  };
}

async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new LogUnavailable(
      "The stream of the edges can't be reached; a box makes it when it starts: npm run hub -- up",
      { cause },
    );
  }
}
