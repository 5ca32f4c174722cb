/** A backup can't be taken: where it is to go, or what it is to be taken of, is not as it must be. Nothing was left behind. */
export class BackupFailed extends Error {
  override readonly name = "BackupFailed";
}

/** What is wrong with one file of a backup. */
export type FileProblem = "missing" | "changed" | "unreadable" | "unknown version" | "broken chain" | "wrong keys";

/** A backup is not what it was when it was taken, so nothing of it may be used. */
export class BackupUnsound extends Error {
  readonly code = "BackupUnsound";

  constructor(
    /** The path of the file in the backup. */
    readonly file: string,
    readonly problem: FileProblem,
    what: string,
    cause?: unknown,
  ) {
    super(`The backup can't be used: ${file} is not as it was written (${problem}): ${what}.`, { cause });
  }
}

/** A restore can't begin, or could not go on; the message says what to do. */
export class RestoreFailed extends Error {
  override readonly name = "RestoreFailed";
}
