/** Why an internal service does not get what it asks for. */
export type ServiceErrorCode =
  /** No service has this name, or it was removed. */
  | "UnknownService"
  /** No events have this type, or it is no newest version. */
  | "UnknownType"
  /** It may not see that: an operator gives it more by `hub service add`. */
  | "NotAllowed"
  /** No name of a durable, or none that so many can share. */
  | "BadDurable"
  /** No token of a position of this log. */
  | "BadPosition"
  /** A position that the log has not come to yet. */
  | "PositionAhead"
  /** There is nothing of its position any more: the log was restored to before it, or to another one. */
  | "PositionLost"
  /** A durable was made for another number of instances. */
  | "InstancesFixed"
  /** What it keeps in the hub is at its bound of 16 MiB. */
  | "StateFull"
  /** The door does not answer; the only one that is retryable. */
  | "DoorAway"
  /** A question, or an option, that is none. */
  | "BadRequest";

/** What an internal service asked can't be had; the message says what is allowed and what to do. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";

  constructor(
    readonly code: ServiceErrorCode,
    message: string,
  ) {
    super(message);
  }

  /** Whether the same may be asked again, unchanged, with a chance to succeed. */
  get retryable(): boolean {
    return this.code === "DoorAway";
  }
}
