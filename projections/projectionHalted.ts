import type { Checkpoint, Lane, ParkedMark } from "@connect-hub/domain/kernel";

/** Going on would make the read tables wrong; the message says what an operator is to do. */
export class ProjectionHalted extends Error {
  readonly code = "ProjectionHalted";
  readonly retryable = false;
}

const rebuild =
  "Make sure that this is the right log; then rebuild the tables from it: npm run hub -- projections rebuild";

/** What each halt says. */
export const haltReasons = {
  otherEpoch: (lane: Lane, { epoch, n }: Checkpoint) =>
    `The tables hold ${lane.id} up to commit ${n} of epoch ${epoch}, but the log is in epoch ${lane.epoch}: it was restored or re-created. ${rebuild}`,
  beyondLog: (lane: Lane, { n }: Checkpoint, last: number) =>
    `The tables hold ${lane.id} up to commit ${n}, but the log ends at ${last}: it was rolled back, restored or re-created. ${rebuild}`,
  startsLater: (lane: Lane, { n }: Checkpoint) =>
    `The tables hold ${lane.id} up to commit ${n}, but the log does not have that commit any more: its beginning was cut off. Bring the log back, from its archive or a backup`,
  otherHash: (lane: Lane, { n, hash }: Checkpoint, found: string) =>
    `Commit ${n} of ${lane.id} has the hash ${found.slice(0, 16)}…, but the one in the tables had ${hash.slice(0, 16)}…: the log was restored, re-created or changed. ${rebuild}`,
  otherVersion: (lane: Lane, { n }: Checkpoint) =>
    `The tables of ${lane.id} were filled, up to commit ${n}, by another version of the code. Rebuild them with this one: npm run hub -- projections rebuild`,
  wrongPlace: (lane: Lane, expected: number, found: string) =>
    `The log has ${found} where commit ${expected} of ${lane.id} must be: it is damaged. Bring it back from a backup`,
  brokenChain: (lane: Lane, n: number) =>
    `Commit ${n} of ${lane.id} does not continue commit ${n - 1}: the hash in it is another one, so the log was changed. Bring it back from a backup`,
  strangeEpoch: (lane: Lane, n: number, what: string) =>
    `Commit ${n} of ${lane.id} can't stand there: ${what}. Bring the log back from a backup`,
  wouldPark: (lane: Lane, { kind, id, from, type, reason }: ParkedMark) =>
    `In commit ${from} of ${lane.id} an event ${type} of ${kind} ${id} can't be applied: ${reason}. Tables that are being built may not leave anything out: mend or update the code, or give the rebuild up`,
  hole: (lane: Lane, n: number, room: string, expected: number, found: number) =>
    `In commit ${n} of ${lane.id} the room ${room} goes on with event ${found} instead of ${expected}: events are missing or doubled. Compare the log with a backup`,
} as const;
