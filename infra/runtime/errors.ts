/** Why a server can't be had or run. `PortInUse` and `AlreadyRunning` may pass by themselves; the rest needs the operator. */
export type RuntimeErrorCode =
  | "ServerNotFound"
  | "ServerTooOld"
  | "ServerUnreachable"
  | "ServerFailed"
  | "PortInUse"
  | "AlreadyRunning"
  | "DataUnusable"
  | "FetchFailed"
  | "BadSetting";

/** An operational failure of the runtime; its message says what to do next. */
export class RuntimeError extends Error {
  readonly code: RuntimeErrorCode;
  /** Whether the same call may succeed later without anybody's help. */
  readonly retryable: boolean;

  constructor(code: RuntimeErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "RuntimeError";
    this.code = code;
    this.retryable = code === "PortInUse" || code === "AlreadyRunning" || code === "ServerUnreachable";
  }
}
