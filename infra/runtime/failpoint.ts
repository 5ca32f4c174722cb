import { unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "./files.ts";
import { BadSetting } from "./settings.ts";

/**
 * Dies where it is told to: what tests of crashes give to functions that take a `step`. Undefined, so that nothing is called, unless one
 * of two settings is there. HUB_FAILPOINT: `<name>`, or `<name>:<nth>` for the nth time (from 1) that this process comes by.
 * HUB_FAILPOINT_FOLDER: a folder in which a file named like a step says at which time from now on, so that running processes can
 * be told; the file is gone when it has happened to one of them. The process says `failpoint <name>` on standard error and kills
 * itself by SIGKILL. Where the file says `<nth> stop` it stops itself by SIGSTOP instead, and leaves its id in `<name>.stopped`.
 * @param names all steps there are, those of other apps too: one setting reaches all processes of a box
 * @throws BadSetting for a name that is none
 */
export function failpoint<Name extends string>(
  names: readonly Name[],
  env: { readonly [name: string]: string | undefined } = process.env,
): ((name: Name) => void) | undefined {
  const folder = env.HUB_FAILPOINT_FOLDER;
  if (folder !== undefined && folder !== "") return (name) => comeBy(folder, name);
  const value = env.HUB_FAILPOINT;
  if (value === undefined || value === "") return undefined;
  const [wanted, nth = "1", ...more] = value.split(":");
  if (!names.some((name) => name === wanted))
    throw bad(value, `there is no step "${wanted}", only ${names.join(", ")}.`);
  if (more.length > 0 || !/^[1-9]\d{0,8}$/.test(nth)) throw bad(value, "after the colon stands which time, from 1.");
  let left = Number(nth);
  return (name) => {
    if (name !== wanted) return;
    left -= 1;
    if (left === 0) die(name);
  };
}

/** Counts the file's number down, and takes it away before it happens: of several processes one alone does. */
function comeBy(folder: string, name: string): void {
  const path = join(folder, name);
  const told = readTextIfThere(path);
  if (told === undefined) return;
  const [nth, how] = told.split(" ");
  if (Number(nth) > 1) {
    writeFileAtomic(path, [String(Number(nth) - 1), how].join(" ").trim());
    return;
  }
  try {
    unlinkSync(path);
  } catch {
    return;
  }
  if (how !== "stop") {
    die(name);
    return;
  }
  writeFileAtomic(`${path}.stopped`, String(process.pid));
  writeSync(2, `failpoint ${name}\n`);
  process.kill(process.pid, "SIGSTOP");
}

function die(name: string): void {
  writeSync(2, `failpoint ${name}\n`);
  process.kill(process.pid, "SIGKILL");
}

function bad(value: string, why: string): BadSetting {
  return new BadSetting(`HUB_FAILPOINT="${value}" can't be used: ${why}`);
}
