import { EpochOver, type StoredCommit, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { JetStreamApiCodes, type JetStreamManager } from "@nats-io/jetstream";
import { commitInFile, readArchiveFile } from "./archiveFile.ts";
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
  /** Read by subject, as who has no other right must. */
  readonly bySubject?: true;
}

/** What reads them. */
export type PastCommits = ReturnType<typeof pastCommits>;

/** The commits of a lane's closed epochs, wherever they lie: a part may move from its stream to a file while it is read. */
export function pastCommits(link: NatsLink, options: PastOptions) {
  const { id, manager } = options;

  async function partWith(n: number): Promise<PastPart> {
    const entry = await readLaneEntry(link, options.prefix, id);
    if (entry.epoch !== options.epoch) throw new EpochOver(id, options.epoch);
    const found = entry.past?.find(({ first, last }) => first <= n && n <= last);
    if (found === undefined) throw new LaneHasHole(id, n, entry.first ?? 1);
    return found;
  }

  function readPart(part: PastPart, from: number, signal: AbortSignal): AsyncIterable<readonly StoredCommit[]> {
    if ("file" in part) return readArchiveFile(folderOf(part.file.name), part.file, part, from);
    const onlySubject = subjects(options.prefix).log(id, part.epoch);
    const target = { lane: id, epoch: part.epoch, stream: part.stream, manager, isOver: async () => true };
    if (options.bySubject) return readLane(link, { ...target, onlySubject }, from, signal);
    return readLane(link, target, from, signal);
  }

  function folderOf(name: string): string {
    if (options.archiveDir !== undefined) return options.archiveDir;
    throw new ArchiveUnsound(name, "this process was not told where the archive is");
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
    if ("file" in part) return { bytes: await commitInFile(folderOf(part.file.name), part.file, part, n) };
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
