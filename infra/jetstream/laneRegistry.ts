import { LogUnavailable, pause, subjects } from "@connect-hub/domain/kernel";
import { type Context, contexts, type LaneId } from "@connect-hub/domain/values";
import { JetStreamApiCodes, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { ArchiveFile } from "./archiveFile.ts";
import type { NatsLink } from "./connectNats.ts";
import { hasApiCode, LaneCountFixed, LaneNotFound } from "./errors.ts";

/** Which epoch a lane is in, and the stream that holds it. Stored as JSON under the lane's id. */
export interface LaneEntry {
  /** 32 hex digits. */
  readonly epoch: string;
  readonly stream: string;
  /** The number of the first commit in the stream; 1 if left out. */
  readonly first?: number;
  /** The epochs that were closed before this one, oldest first: all commits before `first`. */
  readonly past?: readonly PastPart[];
}

/** A closed epoch: its commits `first` … `last` are in a sealed stream or, moved out of NATS, in a file of the archive. */
export type PastPart = {
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
} & ({ readonly stream: string } | { readonly file: ArchiveFile });

const answerMs = 3_000;

/** Opens the registry to write, and makes it when it is not there. Reads go through the leader. */
export function createRegistry(link: NatsLink, prefix: string, replicas: number): Promise<KV> {
  const client = jetstream(link.nc, { timeout: answerMs });
  return new Kvm(client).create(subjects(prefix).lanesBucket, { history: 1, replicas, allow_direct: false });
}

/** The entry of `lane`, or undefined. */
export async function findLane(registry: KV, lane: LaneId): Promise<LaneEntry | undefined> {
  const text = await find(registry, lane);
  return text === undefined ? undefined : parseEntry(text);
}

/** Writes the entry of a lane that has none; the entry that stands afterwards, which may be somebody else's. */
export async function claimLane(registry: KV, lane: LaneId, entry: LaneEntry): Promise<LaneEntry> {
  await claim(registry, lane, JSON.stringify(entry));
  const standing = await findLane(registry, lane);
  if (standing === undefined) throw new Error(`The entry of lane ${lane} is gone again.`);
  return standing;
}

/**
 * Changes the entry of a lane; false when somebody else changed it meanwhile: look again. `was` is what it was read as.
 */
export async function changeLane(registry: KV, lane: LaneId, was: LaneEntry, entry: LaneEntry): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const found = await registry.get(lane);
    if (found === null || found.string() !== JSON.stringify(was)) return false;
    try {
      await registry.update(lane, JSON.stringify(entry), found.revision);
      return true;
    } catch (error) {
      // Servers of a cluster say so while somebody else's change is under way, of which nobody knows yet what it comes to.
      const isUnderWay = hasApiCode(error, JetStreamApiCodes.StreamWrongLastSequenceUnknown) && attempt < attempts;
      if (!isUnderWay && (await find(registry, lane)) === JSON.stringify(was)) throw error;
      if (isUnderWay) await pause(retryMs);
    }
  }
}

const attempts = 50;
const retryMs = 100;

/** Writes the entry of a lane, whatever stood there: the lane is in that epoch from now on. */
export async function putLane(registry: KV, lane: LaneId, entry: LaneEntry): Promise<void> {
  await registry.put(lane, JSON.stringify(entry));
}

/**
 * Fixes how many lanes `context` has, the first time. Throws `LaneCountFixed` when it was another number: where a room
 * lies depends on it, so that changing it means copying the log.
 */
export async function fixLaneCount(registry: KV, context: Context, count: number): Promise<void> {
  const key = `${context}.count`;
  if (await claim(registry, key, String(count))) return;
  const fixed = Number(await find(registry, key));
  if (fixed !== count) throw new LaneCountFixed(context, fixed, count);
}

/** The entry of `lane`. Throws `LaneNotFound` when it was not made yet, and `LogUnavailable`. */
export async function readLaneEntry(link: NatsLink, prefix: string, lane: LaneId): Promise<LaneEntry> {
  const bucket = subjects(prefix).lanesBucket;
  const entry = await orUndefined(async () => {
    return findLane(await new Kvm(link.nc).open(bucket, { bindOnly: true, allow_direct: false }), lane);
  });
  if (entry === undefined) throw new LaneNotFound(lane);
  return entry;
}

/** Whether the registry says that `lane` is in another epoch by now. False when it can't be read. */
export async function isEpochOver(link: NatsLink, prefix: string, lane: LaneId, epoch: string): Promise<boolean> {
  try {
    return (await readLaneEntry(link, prefix, lane)).epoch !== epoch;
  } catch {
    return false;
  }
}

/** All lanes there are, in the order of their names. Throws `LogUnavailable`. */
export async function listLanes(link: NatsLink, prefix: string): Promise<(LaneEntry & { readonly lane: LaneId })[]> {
  const stream = `KV_${subjects(prefix).lanesBucket}`;
  const info = await orUndefined(async () => {
    return (await jetstreamManager(link.nc, { checkAPI: false })).streams.info(stream, { subjects_filter: ">" });
  });
  const keys = Object.keys(info?.state.subjects ?? {}).map((subject) => subject.split(".").slice(2).join("."));
  const lanes = keys.filter(isLaneId).sort();
  return Promise.all(lanes.map(async (lane) => ({ lane, ...(await readLaneEntry(link, prefix, lane)) })));
}

async function find(registry: KV, key: string): Promise<string | undefined> {
  const found = await registry.get(key);
  return found === null || found.operation !== "PUT" ? undefined : found.string();
}

async function claim(registry: KV, key: string, value: string): Promise<boolean> {
  if ((await find(registry, key)) !== undefined) return false;
  try {
    await registry.create(key, value);
    return true;
  } catch (error) {
    if ((await find(registry, key)) !== undefined) return false;
    throw error;
  }
}

/** What `read` gives; undefined when the registry is not there at all. */
async function orUndefined<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (cause) {
    if (hasApiCode(cause, JetStreamApiCodes.StreamNotFound)) return undefined;
    throw new LogUnavailable("The registry of the lanes can't be read.", { cause });
  }
}

function parseEntry(text: string): LaneEntry {
  const entry: unknown = JSON.parse(text);
  if (isEntry(entry)) return entry;
  throw new Error(`The registry of the lanes holds an entry that is none: ${text}`);
}

function isEntry(value: unknown): value is LaneEntry {
  const entry = value as LaneEntry | null;
  return (
    isEpoch(entry?.epoch) &&
    typeof entry?.stream === "string" &&
    isNumber(entry.first ?? 1) &&
    (entry.past === undefined || (Array.isArray(entry.past) && entry.past.every(isPart)))
  );
}

function isPart(part: PastPart): boolean {
  const isStored = "stream" in part ? typeof part.stream === "string" : /^[\w.-]+$/.test(part.file?.name);
  return isEpoch(part.epoch) && isNumber(part.first) && isNumber(part.last) && isStored;
}

const isEpoch = (value: unknown): boolean => typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
const isNumber = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 1;

function isLaneId(key: string): key is LaneId {
  const [context, k, ...more] = key.split(".");
  return more.length === 0 && contexts.some((known) => known === context) && /^\d{1,4}$/.test(k ?? "");
}
