/** There is no room for so many bytes: more would fill the budget beyond 95 %, or the disk itself is full. */
export class StoreFull extends Error {
  readonly code = "StoreFull";

  constructor(cause?: unknown) {
    super("the store of files has no room for this", { cause });
  }
}

/** The bytes are not those that were announced: another length, or another hash. Nothing of them was kept. */
export class WrongBytes extends Error {
  readonly code = "WrongBytes";
}

/** Somebody else is writing to this upload. */
export class UploadTaken extends Error {
  readonly code = "UploadTaken";
}

/** There is no such upload here, or there is none any more. */
export class UploadGone extends Error {
  readonly code = "UploadGone";
}

/** One more upload than somebody may have open. */
export class TooManyUploads extends Error {
  readonly code = "TooManyUploads";
}

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
