import { decodeCommit } from "../kernel/commit.ts";
import { epochBeganType } from "../kernel/epochBegan.ts";
import type { Lane, StoredCommit } from "../kernel/ports.ts";
import { epoch8 } from "../kernel/subjects.ts";
import { ServiceError } from "./errors.ts";

/**
 * How far a service is in one lane: the number of the last commit that it is done with, and the epoch which that commit says (its
 * first 8 hex digits). `["", 0]`: at the beginning.
 */
export type LanePosition = readonly [epoch8: string, n: number];

/** What has to be known of a lane to read it. */
export type ReadableLane = Pick<Lane, "id" | "epoch" | "lastNumber" | "read">;

export const atStart: LanePosition = ["", 0];

/** The position of the newest commit of a lane. Throws as `Lane` does. */
export async function headOf(lane: ReadableLane, signal: AbortSignal): Promise<LanePosition> {
  const n = await lane.lastNumber();
  return n === 0 ? atStart : [(await epochAt(lane, n, signal)) ?? epoch8(lane.epoch), n];
}

/**
 * The commits after a position, without end. When the lane was restored since, to before the position, those are read that came in
 * the place of what is gone. Throws `ServiceError` `PositionAhead` and `PositionLost`, and as `Lane.read` does.
 */
export async function* readAfter(
  lane: ReadableLane,
  after: LanePosition,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredCommit[], void> {
  const from = await goesOnAfter(lane, after, signal);
  if (signal.aborted) return;
  try {
    yield* lane.read(from + 1, signal);
  } catch (error) {
    throw isAway(error) ? lost(lane, `commit ${from + 1} is archived, and can't be read here`) : error;
  }
}

/** The position of a stored commit. */
export function positionOf({ n, bytes }: StoredCommit): LanePosition {
  return [epochOf(bytes), n];
}

async function goesOnAfter(lane: ReadableLane, [epoch, n]: LanePosition, signal: AbortSignal): Promise<number> {
  if (n === 0) return 0;
  const head = await lane.lastNumber();
  if (head >= n) {
    if ((await epochAt(lane, n, signal)) === epoch) return n;
    if (head > n && (await beginsAfter(lane, [epoch, n], signal))) return n;
  } else if (epoch8(lane.epoch) === epoch) {
    throw new ServiceError(
      "PositionAhead",
      `There is no commit ${n} in ${lane.id} yet: the newest one is ${head}. Take a position that was given out by this hub.`,
    );
  }
  const same = await lastOfEpoch(lane, epoch, { to: Math.min(n, head), signal });
  if (same > 0 || signal.aborted) return same;
  throw lost(lane, `there is nothing of the epoch ${epoch} any more, in which commit ${n} was read`);
}

function lost({ id }: ReadableLane, why: string): ServiceError {
  const next = 'Begin anew, with another durable name and from: "now" or a position.';
  return new ServiceError("PositionLost", `${id} can't be read on: ${why}. ${next}`);
}

/** What was there is not in NATS any more; an outage is waited for by the lane itself. */
function isAway(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "LaneHasHole" || error.code === "ArchiveUnsound");
}

/** Whether commit n itself is archived, and the next one goes on from it in another epoch. */
async function beginsAfter(lane: ReadableLane, [epoch, n]: LanePosition, signal: AbortSignal): Promise<boolean> {
  const bytes = await bytesAt(lane, n + 1, signal);
  const events = bytes === undefined ? [] : decodeCommit(bytes).entries.flatMap((entry) => entry.events);
  const began = events.find(({ type }) => type === epochBeganType)?.data;
  return typeof began?.prevEpoch === "string" && epoch8(began.prevEpoch) === epoch;
}

async function epochAt(lane: ReadableLane, n: number, signal: AbortSignal): Promise<string | undefined> {
  const bytes = await bytesAt(lane, n, signal);
  return bytes === undefined ? undefined : epochOf(bytes);
}

/** The bytes at `n`; undefined when they are not in the stream any more. */
async function bytesAt(lane: ReadableLane, n: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    for await (const [first] of lane.read(n, signal)) return first?.n === n ? first.bytes : undefined;
  } catch (error) {
    if (!isAway(error)) throw error;
  }
  return undefined;
}

async function lastOfEpoch(
  lane: ReadableLane,
  epoch: string,
  { to, signal }: { readonly to: number; readonly signal: AbortSignal },
): Promise<number> {
  let last = 0;
  if (to === 0) return last;
  try {
    for await (const batch of lane.read(1, signal)) {
      for (const commit of batch) if (commit.n <= to && epochOf(commit.bytes) === epoch) last = commit.n;
      if ((batch.at(-1)?.n ?? 0) >= to) break;
    }
  } catch (error) {
    if (!isAway(error)) throw error;
  }
  return last;
}

/** The head of a commit stands at its beginning, and most commits are not decoded. */
function epochOf(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 200)).toString("latin1");
  return epoch8(/"epoch":"([0-9a-f]{32})"/.exec(head)?.[1] ?? "");
}
