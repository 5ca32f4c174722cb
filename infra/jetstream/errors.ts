import type { Context, LaneId } from "@connect-hub/domain/values";
import { JetStreamApiError } from "@nats-io/jetstream";

/** The NATS server lacks what a lane needs. */
export class LogServerTooOld extends Error {
  readonly code = "LogServerTooOld";
  readonly retryable = false;

  constructor(version: string, oldest: string) {
    super(`The NATS server is ${version || "of an unknown version"}; ${oldest} or later is needed.`);
  }
}

/** Nobody has made this lane: `provisionLanes` does. */
export class LaneNotFound extends Error {
  readonly code = "LaneNotFound";
  readonly retryable = true;

  constructor(lane: LaneId) {
    super(`There is no lane ${lane} on this NATS server.`);
  }
}

/** The number of a context's lanes is fixed when the log is made. */
export class LaneCountFixed extends Error {
  readonly code = "LaneCountFixed";
  readonly retryable = false;

  constructor(context: Context, fixed: number, asked: number) {
    super(`The log was made with ${fixed} lane(s) of ${context}, not ${asked}; changing that means copying the log.`);
  }
}

/** One difference between what a lane's stream is and what it must be. */
export interface LaneDifference {
  /** The name of the field, as the server calls it. */
  readonly field: string;
  readonly is: unknown;
  readonly must: unknown;
}

/** A lane's stream is not what it must be, so nothing may be read from it or written to it. */
export class LaneUnsound extends Error {
  readonly code = "LaneUnsound";
  readonly retryable = false;

  constructor(
    readonly lane: LaneId,
    readonly differences: readonly LaneDifference[],
  ) {
    const list = differences.map(
      ({ field, is, must }) => `${field} is ${JSON.stringify(is)}, must be ${JSON.stringify(must)}`,
    );
    super(`The stream of lane ${lane} is not sound: ${list.join("; ")}.`);
  }
}

/** The log has no commit at a number that must be there: it was cut, restored or damaged. */
export class LaneHasHole extends Error {
  readonly code = "LaneHasHole";
  readonly retryable = false;

  constructor(
    readonly lane: LaneId,
    readonly missing: number,
    readonly found: number,
  ) {
    super(`Lane ${lane} has no commit ${missing}: the next one there is ${found}.`);
  }
}

/** Commits that are to be in a file of the archive can't be read from it. */
export class ArchiveUnsound extends Error {
  readonly code = "ArchiveUnsound";
  readonly retryable = false;

  /** `path` of the file, or of the folder that was not named. */
  constructor(path: string, what: string, cause?: unknown) {
    const todo = "Put it back from your copy of the archive, or name its folder by HUB_ARCHIVE_DIR";
    super(`The archive ${path} can't be read: ${what}. ${todo}.`, { cause });
  }
}

/** Whether `error` is JetStream's own answer with the error code `code`. */
export function hasApiCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
