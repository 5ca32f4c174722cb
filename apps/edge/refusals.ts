import { StoreFull, TooManyUploads, UploadGone, UploadTaken } from "@connect-hub/blobs";
import { FactsUnavailable, LogUnavailable, SubjectParked, VaultUnavailable } from "@connect-hub/domain/kernel";
import { type Json, limits } from "@connect-hub/domain/values";
import { type ErrorName, type WireError, wireError } from "@connect-hub/protocol";
import { RequestAborted } from "@connect-hub/uws";

/** A request ends here with this error of the table. */
export class Refused extends Error {
  readonly wire: WireError;

  constructor(name: ErrorName, detail?: Json, afterMs?: number) {
    super(name);
    this.wire = wireError(name, detail, afterMs);
  }
}

/** What the client is told of `error`, and whether it is a bug that should be logged. */
export function refusalOf(error: unknown): { readonly wire: WireError; readonly isBug: boolean } {
  if (error instanceof Refused) return { wire: error.wire, isBug: false };
  if (error instanceof SubjectParked) return { wire: wireError("Parked"), isBug: false };
  if (error instanceof StoreFull) return { wire: wireError("StorageFull"), isBug: false };
  if (error instanceof UploadGone) return { wire: wireError("UploadNotFound"), isBug: false };
  if (error instanceof UploadTaken) return { wire: wireError("UploadInUse"), isBug: false };
  if (error instanceof TooManyUploads)
    return { wire: wireError("TooManyUploads", { most: limits.openUploads }), isBug: false };
  if (error instanceof RequestAborted) return { wire: wireError("UploadCut"), isBug: false };
  const isAway =
    error instanceof FactsUnavailable || error instanceof LogUnavailable || error instanceof VaultUnavailable;
  return { wire: wireError(isAway ? "Unavailable" : "Internal"), isBug: !isAway };
}
