import { EpochOver, type StoredCommit } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { JetStreamApiCodes, type JetStreamManager } from "@nats-io/jetstream";
import { assertWhole, commitInFile, readArchiveFile } from "./archiveFile.ts";
import type { NatsLink } from "./connectNats.ts";
import { ArchiveUnsound, hasApiCode, LaneHasHole, LaneUnsound } from "./errors.ts";
import { type PastPart, readLaneEntry } from "./laneRegistry.ts";
import { readLane } from "./readLane.ts";

interface PastOptions {
  readonly prefix: string;
  readonly id: LaneId;
  /** The lane's present epoch. */
  readonly epoch: string;
  readonly manager: JetStreamManager;
  readonly archiveDir?: string | undefined;
}

type FilePart = Extract<PastPart, { file: object }>;

/** What reads them. */
export type PastCommits = ReturnType<typeof pastCommits>;

/** The commits of a lane's closed epochs, wherever they lie: a part may move from its stream to a file while it is read. */
export function pastCommits(link: NatsLink, options: PastOptions) {
  const { id, manager } = options;
  /** The files that were read whole once and are what was written: who reads from the middle checks no chain. */
  const whole = new Set<string>();

  async function partWith(n: number): Promise<PastPart> {
    const entry = await readLaneEntry(link, options.prefix, id);
    if (entry.epoch !== options.epoch) throw new EpochOver(id, options.epoch);
    const found = entry.past?.find(({ first, last }) => first <= n && n <= last);
    if (found === undefined) throw new LaneHasHole(id, n, entry.first ?? 1);
    return found;
  }

  function readPart(part: PastPart, from: number, signal: AbortSignal): AsyncIterable<readonly StoredCommit[]> {
    if ("file" in part) return readFile(part, from, signal);
    const target = { lane: id, epoch: part.epoch, stream: part.stream, manager, isOver: async () => true };
    return readLane(link, target, from, signal);
  }

  async function* readFile(part: FilePart, from: number, signal: AbortSignal) {
    const folder = await folderOf(part, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    if (folder !== undefined) yield* readArchiveFile(folder, part.file, part, from);
  }

  /** The folder of a file that was found whole since the lane was opened. */
  async function folderOf({ file }: FilePart, signal?: AbortSignal): Promise<string> {
    const { archiveDir } = options;
    if (archiveDir === undefined) throw new ArchiveUnsound(file.name, "this process was not told where the archive is");
    if (!whole.has(file.name)) await assertWhole(archiveDir, file, signal);
    whole.add(file.name);
    return archiveDir;
  }

  /** A part whose stream is gone; it was moved to a file before that, or is lost. */
  async function assertMoved(part: PastPart): Promise<void> {
    const now = await partWith(part.first);
    if ("stream" in now) throw new LaneUnsound(id, [{ field: "stream", is: "missing", must: now.stream }]);
  }

  async function* read(from: number, to: number, signal: AbortSignal): AsyncGenerator<readonly StoredCommit[], void> {
    let next = from;
    while (next <= to && !signal.aborted) {
      const part = await partWith(next);
      try {
        for await (const batch of readPart(part, next, signal)) {
          next += batch.length;
          yield batch;
          if (signal.aborted || next > part.last) break;
        }
      } catch (error) {
        if (!(error instanceof EpochOver)) throw error;
        await assertMoved(part);
      }
    }
  }

  async function readAt(n: number): Promise<{ readonly bytes: Uint8Array } | undefined> {
    if (n < 1) return undefined;
    const part = await partWith(n);
    if ("file" in part) return { bytes: await commitInFile(await folderOf(part), part.file, part, n) };
    try {
      const message = await manager.streams.getMessage(part.stream, { seq: n });
      return message === null ? undefined : { bytes: message.data };
    } catch (error) {
      if (!hasApiCode(error, JetStreamApiCodes.StreamNotFound)) throw error;
      await assertMoved(part);
      return readAt(n);
    }
  }

  return {
    /** The commits `from` … `to`, in batches; ends early, without error, when `signal` aborts. Throws `ArchiveUnsound`. */
    read,
    /** One commit. Throws `ArchiveUnsound`. */
    readAt,
  };
}
