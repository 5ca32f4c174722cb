import type { Json } from "@connect-hub/domain/values";
import type { ErrorName, WireError } from "@connect-hub/protocol";

/** Why a request was refused: the server's error, or one of the client's own. */
export type HubErrorName = ErrorName | "LineDead" | "ClientClosed" | "NotAnAnswer";

/** A refusal. `code` is the number of the protocol's error table, 0 for the client's own. */
export class HubError extends Error {
  readonly code: number;
  override readonly name: HubErrorName;
  /** Whether the same request with the same key may succeed later. */
  readonly retry: boolean;
  /** Not before so many milliseconds. */
  readonly afterMs: number | undefined;
  readonly detail: Json | undefined;

  constructor(name: HubErrorName, about: Partial<WireError> & { message?: string; cause?: unknown } = {}) {
    const detail = about.message ?? (typeof about.detail === "string" ? about.detail : undefined);
    super(detail === undefined ? name : `${name}: ${detail}`, { cause: about.cause });
    this.name = name;
    this.code = about.code ?? 0;
    this.retry = about.retry ?? false;
    this.afterMs = about.afterMs;
    this.detail = about.detail;
  }
}

/** The error that a server's `err` says. */
export function hubError(err: WireError): HubError {
  return new HubError(err.name, err);
}
