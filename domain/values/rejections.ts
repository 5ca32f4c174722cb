import type { Json } from "./json.ts";

/**
 * Every way in which a command or a query is refused, in the words of the domain. `protocol/` gives each its number,
 * its HTTP status and whether a retry makes sense; nothing ever matches on the text.
 */
export const refusalCodes = [
  // The command itself
  "BadInput",
  "UnknownMethod",
  "KeyReused",
  "KeyDatedAhead",
  "BadPosition",
  // Accounts
  "WrongCredentials",
  "EmailTaken",
  "SessionEnded",
  "AccountClosed",
  "PersonNotFound",
  // Rooms and messages
  "RoomNotFound",
  "NotAllowed",
  "AlreadyAMember",
  "NotInRoom",
  "LastOwner",
  "DialogIsFixed",
  "DialogWithSelf",
  "MessageNotFound",
  "MessageIsDeleted",
  "TooManyEdits",
  // Files
  "FileNotFound",
  "FileTooLarge",
  "LengthRequired",
  "WrongDigest",
  "StorageFull",
  "BadRange",
  "FileUnavailable",
  "UploadCut",
  "BlobNotFound",
  "NodeNotFound",
  "NodeExists",
  "NotEnoughReplicas",
  // Try again
  "Busy",
  "Unavailable",
  "DeadlinePassed",
  "LaneMoved",
  "NotCaughtUp",
  "Parked",
  // A bug here
  "Internal",
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

/** A refusal as a value: its code and, where it helps, what was wrong and what is allowed. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly detail?: Json;
}

/** Whether the same command may be sent again, unchanged, with a chance to succeed. */
export function isRetryable(code: RefusalCode): boolean {
  return retryable.has(code);
}

const retryable: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "Busy",
  "Unavailable",
  "DeadlinePassed",
  "LaneMoved",
  "NotCaughtUp",
  "Parked",
  "StorageFull",
  "FileUnavailable",
]);
