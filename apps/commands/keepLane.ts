import {
  type Command,
  type CommandReply,
  CommitTail,
  decodeBeat,
  EpochOver,
  FactsOfAnotherVersion,
  type Lane,
  LaneWriter,
  type LaneWriterOptions,
  pause,
  subjects,
  writerIdOf,
} from "@connect-hub/domain/kernel";
import { type Instances, type NatsLink, subscribeLive } from "@connect-hub/jetstream";
import type { Logger } from "pino";
import { laneTurn } from "./laneTurn.ts";
import { openDoors } from "./openDoors.ts";

/** What a kept lane needs beside its writer's parts. */
export interface KeepLaneOptions {
  readonly link: NatsLink;
  readonly prefix: string;
  readonly lane: Lane;
  readonly instances: Instances;
  readonly log: Logger;
  readonly parts: Omit<LaneWriterOptions, "lane" | "writer" | "subjects" | "onStored" | "onLost" | "onBug">;
  /** Told when the lane is in another epoch: it can't be led from here any more. */
  onOver(reason: EpochOver): void;
  /** Starts what runs only while this process leads the lane; `tail` reads the lane beside its writer. */
  whileLeading?(tail: Pick<Lane, "read">): { close(): Promise<void> };
}

/** A lane that this process writes, or waits to write. */
export interface KeptLane {
  /** Whether this process has the lane. */
  readonly isLed: boolean;
  close(): Promise<void>;
}

/** Takes the lane over when it is this instance's turn; when another one takes it, stands by until it is again. */
export function keepLane(options: KeepLaneOptions): KeptLane {
  const { lane, log } = options;
  const stop = new AbortController();
  let current: Led | undefined;
  let isLed = false;
  let retryMs = firstRetryMs;
  let attempts = 0;
  let isStrange = false;
  const endings = new Set<Promise<void>>();

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await laneTurn(options, stop.signal);
        if (!stop.signal.aborted) await leadOnce();
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof EpochOver) return options.onOver(error);
        await waitAfter(error);
      }
    }
  }

  /** Takes the lane over, and writes it until it is lost. */
  async function leadOnce(): Promise<void> {
    attempts += 1;
    current = await lead(options, writerIdOf(options.instances.self, attempts), stop.signal);
    // Who stopped meanwhile did not see it.
    if (stop.signal.aborted) return current.close();
    log.info({ lane: lane.id, term: current.writer.position.term, head: current.writer.position.head }, "leads");
    isLed = true;
    isStrange = false;
    retryMs = firstRetryMs;
    const beside = options.whileLeading?.(current.tail);
    const reason = await current.lost;
    isLed = false;
    // Not waited for: the lane may have to be taken again soon.
    const ending: Promise<void> = end(current, beside)
      .catch((error: unknown) =>
        log.error({ err: error, lane: lane.id }, "what ran beside the writer did not end well"),
      )
      .finally(() => endings.delete(ending));
    endings.add(ending);
    current = undefined;
    if (!stop.signal.aborted) log.warn({ lane: lane.id, reason }, "lost the lane; stands by");
  }

  async function end(led: Led, beside: { close(): Promise<void> } | undefined): Promise<void> {
    await beside?.close();
    // Who has not heard of the new writer yet is told.
    await pause(lingerMs, stop.signal);
    await led.close();
  }

  async function waitAfter(error: unknown): Promise<void> {
    if (error instanceof FactsOfAnotherVersion) {
      // Nobody was thrown out by this try, so it may look again soon.
      if (!isStrange) log.warn({ lane: lane.id }, `stands by: ${error.message}`);
      isStrange = true;
      return pause(standByMs, stop.signal);
    }
    log.error({ err: error, lane: lane.id }, "could not take the lane over; tries again");
    await pause(retryMs, stop.signal);
    // Each try may throw out a writer that works: one that can't lead must not go on trying at that pace.
    retryMs = Math.min(retryMs * 2, maxRetryMs);
  }

  const running = run();
  return {
    get isLed() {
      return isLed;
    },
    async close() {
      stop.abort();
      await current?.close();
      await running;
      await Promise.all(endings);
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

async function lead(
  { link, prefix, lane, log, parts }: KeepLaneOptions,
  id: string,
  signal: AbortSignal,
): Promise<Led> {
  const names = subjects(prefix);
  const early: [command: Command, answer: (reply: CommandReply) => void][] = [];
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
      if (writer !== undefined) writer.submit(command, answer);
      else if (early.length < maxEarly) early.push([command, answer]);
      else answer({ refused: { code: "Busy" } });
    },
  });
  let tail: CommitTail | undefined;
  try {
    const onBug = (error: unknown) => log.fatal({ err: error, lane: lane.id }, "a bug: the command was refused");
    const own = { lane, writer: id, subjects: names, onBug, onLost: lose };
    writer = await LaneWriter.start({ ...parts, ...own, onStored: (commit) => tail?.push(commit) }, signal);
  } catch (error) {
    for (const [, answer] of early) answer({ refused: { code: "LaneMoved" } });
    await doors.close();
    throw error;
  }
  const leading = writer;
  // Nothing was submitted before this tick, so it misses none.
  tail = new CommitTail(lane, leading.position.head);
  // Who read of the take-over in the log sent what it had at once.
  for (const [command, answer] of early) leading.submit(command, answer);
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

/** How long the doors of a lane that was lost stay open. */
const lingerMs = 1_000;
/** Commands that came before the writer has read what it needs. */
const maxEarly = 10_000;
/** How often it looks whether tables of its version are served. */
const standByMs = 250;
const firstRetryMs = 250;
const maxRetryMs = 10_000;
