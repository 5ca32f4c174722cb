import { randomBytes } from "node:crypto";
import { encodeEpochBegan, hashCommit, LogUnavailable } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { NextEpoch } from "@connect-hub/jetstream";
import { type CheckedBackup, commitsOf } from "./checkBackup.ts";
import { RestoreFailed } from "./errors.ts";
import type { BackupProgress } from "./takeBackup.ts";

/** A lane as a restore writes it: its stream, and the epoch that goes on in it. */
export interface LaneToFill {
  readonly lane: LaneId;
  readonly epoch: string;
  readonly next: NextEpoch;
}

/**
 * Fills the stream of a lane's next epoch: the stored bytes at the numbers that they had, then the commit that begins the epoch.
 * Goes on where an earlier attempt ended; does nothing when all is there. Throws `RestoreFailed` and `LogUnavailable`.
 */
export async function fillLane(
  { lane, epoch, next }: LaneToFill,
  backup: CheckedBackup,
  progress: BackupProgress,
): Promise<void> {
  const about = backup.manifest.lanes.find((one) => one.lane === lane);
  const n = about?.n ?? 0;
  for (let attempt = 1; ; attempt++) {
    try {
      await appendCommits(next, lane, n, backup, progress);
      break;
    } catch (error) {
      if (!(error instanceof LogUnavailable) || attempt === attempts || progress.signal.aborted) throw error;
    }
  }
  const last = await next.lastNumber();
  const hash = about?.hash ?? "";
  const stored = await next.readAt(n);
  if ((stored === undefined ? "" : hashCommit(stored.bytes)) !== hash || last > n + 1) {
    throw new RestoreFailed(`The stream for epoch ${epoch} of ${lane} holds something else; restore into a new epoch.`);
  }
  if (last === n + 1) return;
  const end = backup.ends.get(lane) ?? { term: 0, at: new Date(0).toISOString() };
  const nowMs = Math.max(Date.now(), Date.parse(end.at));
  const prevEpoch = about?.epoch ?? noEpoch;
  const bytes = encodeEpochBegan({ lane, n, hash, epoch: prevEpoch, term: end.term, nowMs }, epoch, randomBytes(16));
  const outcome = await next.append(bytes, n);
  if (outcome !== "stored") throw new LogUnavailable(`The first commit of epoch ${epoch} of ${lane} was not stored.`);
}

async function appendCommits(
  next: NextEpoch,
  lane: LaneId,
  n: number,
  backup: CheckedBackup,
  { onProgress, signal }: BackupProgress,
): Promise<void> {
  const have = await next.lastNumber();
  if (have >= n) return;
  let at = 0;
  const underWay = new Set<Promise<void>>();
  let trouble: unknown;
  for await (const bytes of commitsOf(backup, lane)) {
    at += 1;
    if (at <= have) continue;
    const number = at;
    // Several at a time: they arrive in the order in which they were sent, and each expects the one before it.
    const one = next.append(bytes, number - 1).then((outcome) => {
      underWay.delete(one);
      if (outcome !== "stored") trouble ??= troubleOf(outcome, number, lane);
    });
    underWay.add(one);
    if (underWay.size >= window) await Promise.race(underWay);
    onProgress?.(`commits of ${lane}`, number, n);
    if (trouble !== undefined || signal.aborted) break;
  }
  await Promise.all(underWay);
  if (trouble !== undefined) throw trouble;
  signal.throwIfAborted();
}

function troubleOf(outcome: object | string, number: number, lane: LaneId): Error {
  const refused = typeof outcome === "object" && "refused" in outcome ? String(outcome.refused) : undefined;
  if (refused === undefined) return new LogUnavailable(`Commit ${number} of ${lane} was not stored.`);
  return new RestoreFailed(`The log refused commit ${number} of ${lane}: ${refused}. Set HUB_LANE_BYTES higher.`);
}

/** What stands for the epoch of a lane that a backup does not know. */
const noEpoch = "0".repeat(32);
const window = 64;
const attempts = 5;
