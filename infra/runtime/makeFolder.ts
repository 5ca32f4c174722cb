import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { RuntimeError } from "./errors.ts";
import { isErrno } from "./ports.ts";

/**
 * Makes a folder, and those above it that are missing. Throws `RuntimeError` (`BadSetting`) when it can't be made. Node's own recursive `mkdir`
 * never ends where a file system says that a name in a folder which is there is not (`/proc`).
 */
export function makeFolder(path: string, mode = 0o777): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.unshift(at);
  try {
    for (const folder of missing) makeOne(folder, mode);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RuntimeError("BadSetting", `The folder ${path} can't be made: ${why}. Name another one.`, cause);
  }
  if (!statSync(path).isDirectory())
    throw new RuntimeError("BadSetting", `${path} is there, but it is no folder. Name another one.`);
}

function makeOne(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    // Somebody else made it meanwhile.
    if (!isErrno(error, "EEXIST")) throw error;
  }
}
