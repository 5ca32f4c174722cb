import { writeSync } from "node:fs";
import { BadSetting } from "./settings.ts";

/**
 * Dies where it is told to: what tests of crashes give to functions that take a `step`. Undefined, so that nothing is called, unless
 * HUB_FAILPOINT is set: `<name>`, or `<name>:<nth>` for the nth time (from 1) that this process comes by. It then says
 * `failpoint <name>` on standard error and kills its own process by SIGKILL.
 * @param names all steps there are, those of other apps too: one setting reaches all processes of a box
 * @throws BadSetting for a name that is none
 */
export function failpoint<Name extends string>(
  names: readonly Name[],
  env: { readonly [name: string]: string | undefined } = process.env,
): ((name: Name) => void) | undefined {
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
    if (left > 0) return;
    writeSync(2, `failpoint ${name}\n`);
    process.kill(process.pid, "SIGKILL");
  };
}

function bad(value: string, why: string): BadSetting {
  return new BadSetting(`HUB_FAILPOINT="${value}" can't be used: ${why}`);
}
