import { randomBytes } from "node:crypto";
import {
  CommitTail,
  decodeBeat,
  EpochOver,
  type Lane,
  LaneWriter,
  type LaneWriterOptions,
  pause,
  subjects,
} from "@connect-hub/domain/kernel";
import { type NatsLink, subscribeLive } from "@connect-hub/jetstream";
import type { Logger } from "pino";
import { openDoors } from "./openDoors.ts";

/** What a kept lane needs beside its writer's parts. */
export interface KeepLaneOptions {
  readonly link: NatsLink;
  readonly prefix: string;
  readonly lane: Lane;
  readonly log: Logger;
  readonly parts: Omit<LaneWriterOptions, "lane" | "writer" | "subjects" | "onStored" | "onLost" | "onBug">;
  /** Told when the lane is in another epoch: it can't be led from here any more. */
  onOver(reason: EpochOver): void;
  /** Starts what runs only while this process leads the lane; `tail` reads the lane beside its writer. */
  whileLeading?(tail: Pick<Lane, "read">): { close(): Promise<void> };
}

/** A lane that this process writes, or waits to write. */
export interface KeptLane {
  /** The writer, while this process has the lane. */
  readonly writer: LaneWriter | undefined;
  close(): Promise<void>;
}

/**
 * Takes the lane over at once, so that the newest process leads; when another one takes it, stands by until no beat was
 * heard for a while, and takes it again.
 */
export function keepLane(options: KeepLaneOptions): KeptLane {
  const { lane, log } = options;
  const stop = new AbortController();
  let current: Led | undefined;
  let retryMs = firstRetryMs;

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        current = await lead(options, stop.signal);
        log.info({ lane: lane.id, term: current.writer.position.term, head: current.writer.position.head }, "leads");
        retryMs = firstRetryMs;
        const beside = options.whileLeading?.(current.tail);
        const reason = await current.lost;
        await beside?.close();
        if (stop.signal.aborted) return;
        log.warn({ lane: lane.id, reason }, "lost the lane; stands by");
        await current.close();
        current = undefined;
        // Lost for good: nobody else leads it either.
        await lane.lastNumber().catch((error) => {
          if (error instanceof EpochOver) throw error;
        });
        await silence(options, stop.signal);
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof EpochOver) return options.onOver(error);
        log.error({ err: error, lane: lane.id }, "could not take the lane over; tries again");
        await pause(retryMs, stop.signal);
        // Each try may throw out a writer that works: one that can't lead must not go on trying at that pace.
        retryMs = Math.min(retryMs * 2, maxRetryMs);
      }
    }
  }

  const running = run();
  return {
    get writer() {
      return current?.writer;
    },
    async close() {
      stop.abort();
      await current?.close();
      await running;
    },
  };
}

interface Led {
  readonly writer: LaneWriter;
  readonly tail: CommitTail;
  /** Resolves with the reason when the lane is lost or let go. */
  readonly lost: Promise<string>;
  close(): Promise<void>;
}

async function lead({ link, prefix, lane, log, parts }: KeepLaneOptions, signal: AbortSignal): Promise<Led> {
  const names = subjects(prefix);
  const id = randomBytes(8).toString("hex");
  let writer: LaneWriter | undefined;
  let lose: (reason: string) => void = () => undefined;
  const lost = new Promise<string>((resolve) => {
    lose = resolve;
  });
  // The door opens before the first beat tells of it.
  const doors = openDoors(link, {
    names,
    lane: lane.id,
    writer: id,
    onMalformed: (what) => log.warn({ lane: lane.id }, what),
    submit: (command, answer) => {
      if (writer === undefined) answer({ refused: { code: "LaneMoved" } });
      else writer.submit(command, answer);
    },
  });
  let tail: CommitTail | undefined;
  try {
    const onBug = (error: unknown) => log.fatal({ err: error, lane: lane.id }, "a bug: the command was refused");
    const own = { lane, writer: id, subjects: names, onBug, onLost: lose };
    writer = await LaneWriter.start({ ...parts, ...own, onStored: (commit) => tail?.push(commit) }, signal);
  } catch (error) {
    await doors.close();
    throw error;
  }
  const leading = writer;
  // Nothing was submitted before this tick, so it misses none.
  tail = new CommitTail(lane, leading.position.head);
  // One that has nothing to append would not notice by itself.
  const listening = subscribeLive(link, names.beat(lane.id), ({ body }) => {
    const beat = decodeBeat(body);
    if (beat?.epoch === lane.epoch && beat.term > leading.position.term) leading.stepDown("another writer leads");
  });
  return {
    writer: leading,
    tail,
    lost,
    async close() {
      listening.unsubscribe();
      await leading.close();
      lose("stopped");
      await doors.close();
    },
  };
}

/** Resolves when no writer of the lane was heard for 3 s and a little, so that not all who stand by move at once. */
async function silence({ link, prefix, lane }: KeepLaneOptions, signal: AbortSignal): Promise<void> {
  let heardAt = Date.now();
  const listening = subscribeLive(link, subjects(prefix).beat(lane.id), ({ body }) => {
    if (decodeBeat(body)?.epoch === lane.epoch) heardAt = Date.now();
  });
  const quietMs = silentAfterMs + Math.random() * jitterMs;
  while (!signal.aborted && Date.now() - heardAt < quietMs) await pause(100, signal);
  listening.unsubscribe();
}

const silentAfterMs = 3_000;
const jitterMs = 500;
const firstRetryMs = 250;
const maxRetryMs = 10_000;
