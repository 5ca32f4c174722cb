/** Why an internal service does not get what it asks for. */
export type ServiceErrorCode =
  | "UnknownService"
  | "UnknownType"
  | "NotAllowed"
  | "BadDurable"
  | "BadPosition"
  | "PositionAhead"
  | "PositionLost"
  | "InstancesFixed"
  | "StateFull"
  | "DoorAway"
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
