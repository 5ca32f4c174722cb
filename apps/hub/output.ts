import { fstatSync, writeFileSync } from "node:fs";

/** What went wrong with what was printed; that nobody reads on is no failure. */
let failure: Error | undefined;
const watching = new Set<() => void>();

export function outputFailure(): Error | undefined {
  return failure;
}

/** Calls `abort` when what is printed goes nowhere any more; the answer ends that. */
export function onOutputGone(abort: () => void): () => void {
  watching.add(abort);
  return () => watching.delete(abort);
}

/**
 * Has what is printed be there whole, or be noticed: Node's console hides errors, and Node takes a write to a file that a full disk cut short for
 * done. Once in a process, before anything is printed.
 */
export function watchOutput(): void {
  const { stdout } = process;
  stdout.on("error", gone);
  if (!isFile()) return;
  stdout.write = (text: string | Uint8Array, ...rest: unknown[]) => {
    try {
      writeFileSync(stdout.fd, text);
    } catch (error) {
      gone(error as NodeJS.ErrnoException);
    }
    const done = rest.at(-1);
    if (typeof done === "function") process.nextTick(done);
    return true;
  };
}

function gone(error: NodeJS.ErrnoException): void {
  // `hub … | head` closes the pipe and is done.
  if (error.code !== "EPIPE") failure ??= error;
  for (const abort of watching) abort();
}

/** Whether it goes to a file or a device that is no terminal; a pipe is Node's to write to. */
function isFile(): boolean {
  const { stdout } = process;
  const stat = fstatSync(stdout.fd);
  return stat.isFile() || (stat.isCharacterDevice() && !stdout.isTTY);
}
