import { LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { jetstreamManager } from "@nats-io/jetstream";
import { type ArchiveFile, archiveFileFault, writeArchiveFile } from "./archiveFile.ts";
import type { NatsLink } from "./connectNats.ts";
import { changeLane, createRegistry, type PastPart, readLaneEntry } from "./laneRegistry.ts";
import { laneBytes, removeStream, sealStream, setReserve } from "./nextEpoch.ts";
import { pastCommits } from "./pastCommits.ts";

/** The steps by which a closed epoch leaves NATS. A test stops before each of them. */
export const archiveSteps = ["write file", "name file", "remove stream", "set reserve"] as const;
export type ArchiveStep = (typeof archiveSteps)[number];

export interface ArchivePastOptions {
  readonly prefix: string;
  readonly lane: LaneId;
  readonly replicas: number;
  readonly archiveDir: string;
  /** The reserve of the present stream on the disk, once there is room for it. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** How many commits of a closed epoch are in its file. */
  onProgress?(epoch: string, done: number, total: number): void;
  step?(name: ArchiveStep): void | Promise<void>;
}

/** A closed epoch that is in a file now. */
export interface Archived {
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  readonly file: ArchiveFile;
}

/**
 * Moves the closed epochs of a lane to files: each is written, read back and named in the registry before its stream is removed, so
 * that its commits are to be had at any moment. May be called again after it broke off. Throws `ArchiveUnsound`, `LogUnavailable` and
 * what the disk says.
 */
export async function archivePast(admin: NatsLink, options: ArchivePastOptions): Promise<readonly Archived[]> {
  const { prefix, lane, step = () => {} } = options;
  const done: Archived[] = [];
  const before = await readLaneEntry(admin, prefix, lane);
  for (const part of before.past ?? []) {
    if (!("stream" in part)) continue;
    options.signal.throwIfAborted();
    await sealStream(admin, part.stream);
    await step("write file");
    const file = await writePart(admin, part, options);
    await step("name file");
    await nameFile(admin, part, file, options);
    done.push({ epoch: part.epoch, first: part.first, last: part.last, file });
    await step("remove stream");
    await removeStream(admin, part.stream);
  }
  // One that broke off may have left a stream that the registry names no more.
  for (const { epoch, ...part } of before.past ?? [])
    if ("file" in part) await removeStream(admin, subjects(prefix).logStream(lane, epoch));
  await step("set reserve");
  await setReserve(admin, before.stream, options.maxBytes);
  return done;
}

type StreamPart = Extract<PastPart, { stream: string }>;

async function writePart(admin: NatsLink, part: StreamPart, options: ArchivePastOptions): Promise<ArchiveFile> {
  const { prefix, lane, archiveDir, signal, onProgress } = options;
  const { epoch } = await readLaneEntry(admin, prefix, lane);
  const manager = await jetstreamManager(admin.nc, { checkAPI: false });
  const { read } = pastCommits(admin, { prefix, id: lane, epoch, manager, archiveDir });
  const total = part.last - part.first + 1;
  async function* commits() {
    let count = 0;
    for await (const batch of read(part.first, part.last, signal)) {
      yield batch;
      count += batch.length;
      onProgress?.(part.epoch, count, total);
    }
    signal.throwIfAborted();
    if (count !== total) throw new LogUnavailable(`${lane} gave ${count} of the ${total} commits of ${part.epoch}.`);
  }
  return writeArchiveFile(archiveDir, archiveName(lane, part), commits());
}

/** For example `rooms.0-1-5000-89abcdef.commits`. */
function archiveName(lane: LaneId, { first, last, epoch }: PastPart): string {
  return `${lane}-${first}-${last}-${epoch.slice(0, 8)}.commits`;
}

async function nameFile(
  admin: NatsLink,
  part: StreamPart,
  file: ArchiveFile,
  { prefix, lane, replicas }: ArchivePastOptions,
): Promise<void> {
  const registry = await createRegistry(admin, prefix, replicas);
  for (;;) {
    const was = await readLaneEntry(admin, prefix, lane);
    const { epoch, first, last } = part;
    const past = (was.past ?? []).map((one) => (one.epoch === epoch ? { epoch, first, last, file } : one));
    if (await changeLane(registry, lane, was, { ...was, past })) return;
  }
}

/** A closed epoch of a lane, where it lies, and what is wrong with that, if anything. */
export interface PastState {
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  /** The path of its file; null while it is in NATS. */
  readonly file: string | null;
  /** How many bytes it takes. */
  readonly bytes: number;
  /** What is wrong with its file, as far as can be seen without reading it. */
  readonly fault: string | null;
}

/** The closed epochs of a lane, oldest first. Throws `LaneNotFound` and `LogUnavailable`. */
export async function pastOf(
  link: NatsLink,
  { prefix, lane, archiveDir }: { readonly prefix: string; readonly lane: LaneId; readonly archiveDir: string },
): Promise<readonly PastState[]> {
  const { past = [] } = await readLaneEntry(link, prefix, lane);
  return Promise.all(
    past.map(async (part) => {
      const { epoch, first, last } = part;
      if ("stream" in part)
        return { epoch, first, last, file: null, bytes: await laneBytes(link, part.stream), fault: null };
      const { name, size } = part.file;
      const fault = (await archiveFileFault(archiveDir, part.file)) ?? null;
      return { epoch, first, last, file: `${archiveDir}/${name}`, bytes: size, fault };
    }),
  );
}
