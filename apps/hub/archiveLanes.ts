import { statfs } from "node:fs/promises";
import type { LaneId } from "@connect-hub/domain/values";
import {
  type Archived,
  type ArchiveStep,
  archivePast,
  type CloseStep,
  closeEpoch,
  laneBytes,
  listLanes,
  type NatsLink,
  pastOf,
} from "@connect-hub/jetstream";
import { makeFolder } from "@connect-hub/runtime";
import type { Connections } from "./box/connections.ts";
import { inBytes } from "./inBytes.ts";

/** What came of archiving a lane. */
export interface ArchivedLane {
  readonly lane: LaneId;
  /** The epoch that it goes on in. */
  readonly epoch: string;
  /** The closed epochs that went to files now. */
  readonly archived: readonly Archived[];
}

export interface ArchiveOptions {
  readonly connections: Connections;
  /** May make streams. */
  readonly admin: NatsLink;
  /** May append to the log. */
  readonly writer: NatsLink;
  readonly signal: AbortSignal;
  onProgress?(what: string, done: number, total: number): void;
  step?(name: CloseStep | ArchiveStep): void | Promise<void>;
}

/** The log can't be archived; the message says why and what to do. */
class ArchiveRefused extends Error {
  readonly code = "ArchiveRefused";
}

/**
 * Closes the epochs of these lanes, one right after another, so that all that reads and writes them begins anew once; then moves what
 * was closed to the archive, while people go on. Of a lane whose archiving broke off nothing more is closed before that is finished.
 * Throws `ArchiveRefused` before anything is changed, and what was in the way.
 */
export async function archiveLanes(
  lanes: readonly LaneId[],
  options: ArchiveOptions,
): Promise<readonly ArchivedLane[]> {
  const { connections, admin, writer, signal, onProgress, step } = options;
  const { prefix, archiveDir, natsReplicas: replicas, laneBytes: maxBytes } = connections;
  const common = { prefix, archiveDir, replicas, maxBytes, signal, ...(step && { step }) };
  const waiting = await Promise.all(lanes.map((lane) => waitingOf(lane, options)));
  await assertRoom(
    archiveDir,
    waiting.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  for (const { lane, isClosed } of waiting) if (!isClosed) await closeEpoch(admin, writer, { ...common, lane });
  const done: ArchivedLane[] = [];
  for (const lane of lanes) {
    const show = (_epoch: string, count: number, total: number) => onProgress?.(`commits of ${lane}`, count, total);
    const archived = await archivePast(admin, { ...common, lane, onProgress: show });
    done.push({ lane, epoch: (await presentOf(admin, prefix, lane)).epoch, archived });
  }
  return done;
}

/** What is to go to the archive of a lane, and whether it was closed by an attempt that broke off. */
async function waitingOf(lane: LaneId, { connections, admin }: ArchiveOptions) {
  const { prefix, archiveDir } = connections;
  const closed = (await pastOf(admin, { prefix, lane, archiveDir })).filter(({ file }) => file === null);
  if (closed.length === 0) return { lane, isClosed: false, bytes: (await presentOf(admin, prefix, lane)).bytes };
  return { lane, isClosed: true, bytes: closed.reduce((sum, { bytes }) => sum + bytes, 0) };
}

async function presentOf(link: NatsLink, prefix: string, lane: LaneId) {
  const found = (await listLanes(link, prefix)).find((one) => one.lane === lane);
  if (found === undefined) throw new ArchiveRefused(`There is no lane ${lane} yet. Start the box: npm run hub -- up`);
  return { epoch: found.epoch, bytes: await laneBytes(link, found.stream) };
}

async function assertRoom(archiveDir: string, neededBytes: number): Promise<void> {
  makeFolder(archiveDir, 0o700);
  const { bavail, bsize } = await statfs(archiveDir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes + spareBytes) return;
  throw new ArchiveRefused(
    `The archive takes ${inBytes(neededBytes + spareBytes)}, but ${archiveDir} has ${inBytes(freeBytes)} free. Nothing was changed. Name a folder on another disk by HUB_ARCHIVE_DIR, and start the box with it.`,
  );
}

const spareBytes = 64 * 1024 * 1024;
