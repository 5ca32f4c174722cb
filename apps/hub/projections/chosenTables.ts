import { BadSetting } from "@connect-hub/runtime/settings";
import type { ReadTables } from "../readTables.ts";

/** The tables with these names, or all. Throws `BadSetting` for a name that none has. */
export function chosenTables(all: readonly ReadTables[], names: readonly string[]): readonly ReadTables[] {
  const known = all.map(({ name }) => name);
  const unknown = names.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined) throw new BadSetting(`There is no projection "${unknown}", only ${known.join(", ")}.`);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}
