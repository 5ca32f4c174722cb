import { onOutputGone } from "./output.ts";

/** A signal that aborts at Ctrl-C, SIGTERM, or when nobody gets our output any more; `release` ends the watch. */
export function untilSignal(): { readonly signal: AbortSignal; release(): void } {
  const aborting = new AbortController();
  const abort = () => aborting.abort();
  process.on("SIGINT", abort).on("SIGTERM", abort);
  const forget = onOutputGone(abort);
  return {
    signal: aborting.signal,
    release() {
      process.off("SIGINT", abort).off("SIGTERM", abort);
      forget();
    },
  };
}
