/** A signal that aborts at Ctrl-C, SIGTERM, or when nobody reads our output any more; `release` ends the watch. */
export function untilSignal(): { readonly signal: AbortSignal; release(): void } {
  const aborting = new AbortController();
  const abort = () => aborting.abort();
  process.on("SIGINT", abort).on("SIGTERM", abort);
  // The error handler stays, once and for all: what was written may fail later.
  if (!process.stdout.listeners("error").includes(onOutputError)) process.stdout.on("error", onOutputError);
  watching.add(abort);
  return {
    signal: aborting.signal,
    release() {
      process.off("SIGINT", abort).off("SIGTERM", abort);
      watching.delete(abort);
    },
  };
}

const watching = new Set<() => void>();

/** `hub … | head` closes the pipe and is done. */
function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  for (const abort of watching) abort();
}
