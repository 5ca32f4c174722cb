/**
 * The places where a process may be made to die in a crash test, in the order of the work: after each step that leaves
 * something behind.
 */
export const uploadSteps = [
  /** The temporary file is made. */
  "upload.opened",
  /** Some of its bytes were written. */
  "upload.piece",
  /** All of them, and their hash is known. */
  "upload.received",
  "upload.synced",
  /** The file has its final name. */
  "upload.placed",
  /** The claim is on the log; the client was not told. */
  "upload.claimed",
  /** Of an upload that may be gone on with, what it was begun with is on the disk. */
  "resume.begun",
  /** Some bytes were written behind those that were there. */
  "resume.appended",
  /** They are there for good; the client was not told. */
  "resume.synced",
  /** The answer is kept for whoever asks again. */
  "resume.answered",
] as const;

export const moveSteps = [
  /** The temporary file on the node is made. */
  "move.opened",
  /** All bytes were sent. */
  "move.copied",
  "move.synced",
  /** They were read back and are right. */
  "move.readBack",
  /** The file on the node has its final name. */
  "move.renamed",
  /** The replica is on the log. */
  "move.recorded",
  /** The log says that the server does not promise the bytes any more. */
  "move.dropAllowed",
  /** The server's file is gone. */
  "move.dropped",
] as const;

export const downloadSteps = [
  /** A node is known to have the bytes. */
  "download.located",
  /** The first piece came and is right. */
  "download.firstPiece",
  /** All came; the temporary file is whole. */
  "download.received",
  /** The server's disk has the bytes again. */
  "download.filled",
] as const;

export type UploadStep = (typeof uploadSteps)[number];
export type MoveStep = (typeof moveSteps)[number];
export type DownloadStep = (typeof downloadSteps)[number];
