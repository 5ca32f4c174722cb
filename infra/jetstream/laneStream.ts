import { subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import {
  DiscardPolicy,
  PersistMode,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import type { LaneDifference } from "./errors.ts";

interface LaneStreamOptions {
  readonly prefix: string;
  readonly lane: LaneId;
  readonly epoch: string;
  /** The number of its first commit; 1 if left out. */
  readonly first?: number | undefined;
}

/** What every lane's stream must be, whatever its size and its number of replicas. */
function fixedPart({ prefix, lane, epoch }: LaneStreamOptions) {
  const names = subjects(prefix);
  return {
    name: names.logStream(lane, epoch),
    subjects: [names.log(lane, epoch)],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_age: 0,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_msg_size: -1,
    deny_delete: true,
    deny_purge: true,
    allow_rollup_hdrs: false,
    // Direct gets are answered by any replica, so they are not read-after-write.
    allow_direct: false,
  } as const;
}

/** The configuration of a new lane's stream. */
export function laneStreamConfig(
  options: LaneStreamOptions & { readonly replicas: number; readonly maxBytes: number },
): Partial<StreamConfig> & { name: string } {
  const { subjects: only, ...fixed } = fixedPart(options);
  const size = { num_replicas: options.replicas, max_bytes: options.maxBytes };
  return { ...fixed, subjects: [...only], ...size, ...(options.first !== undefined && { first_seq: options.first }) };
}

/** How the stream that is there differs from what a lane's stream must be. */
export function laneStreamDifferences(info: StreamInfo, options: LaneStreamOptions): LaneDifference[] {
  const config = info.config;
  const { first = 1 } = options;
  const musts: [field: string, is: unknown, must: unknown][] = Object.entries(fixedPart(options)).map(
    ([field, must]) => [field, config[field as keyof StreamConfig] ?? absentMeans(must), must],
  );
  musts.push(
    ["sealed", config.sealed ?? false, false],
    ["mirror", config.mirror, undefined],
    ["sources", config.sources, undefined],
    ["republish", config.republish, undefined],
    ["subject_transform", config.subject_transform, undefined],
    ["allow_msg_ttl", config.allow_msg_ttl ?? false, false],
    ["persist_mode", config.persist_mode ?? PersistMode.Default, PersistMode.Default],
    ["max_bytes is set", config.max_bytes > 0, true],
    ["first_seq", info.state.messages === 0 ? first : info.state.first_seq, first],
    ["last_seq of an empty log", info.state.messages === 0 ? info.state.last_seq : first - 1, first - 1],
    ["deleted", info.state.num_deleted ?? 0, 0],
  );
  return musts
    .filter(([, is, must]) => JSON.stringify(is) !== JSON.stringify(must))
    .map(([field, is, must]) => ({ field, is, must }));
}

/** The server leaves out what is false or zero. */
function absentMeans(must: unknown): unknown {
  return typeof must === "boolean" ? false : typeof must === "number" ? 0 : undefined;
}
