/** A signal that aborts at Ctrl-C, SIGTERM, or when nobody reads our output any more; `release` ends the watch. */
export function untilSignal(): { readonly signal: AbortSignal; release(): void } {
  const aborting = new AbortController();
  const abort = () => aborting.abort();
  // `hub … | head` closes the pipe and is done.
  const onOutputError = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    abort();
  };
  process.on("SIGINT", abort).on("SIGTERM", abort);
  process.stdout.on("error", onOutputError);
  return {
    signal: aborting.signal,
    release() {
      process.off("SIGINT", abort).off("SIGTERM", abort);
      // The error handler stays: what was written may fail later.
    },
  };
}
