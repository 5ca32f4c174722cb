import type { Lane } from "@connect-hub/domain/kernel";
import type { Context } from "@connect-hub/domain/values";
import { type RebuildStep, type Rebuilt, rebuild } from "@connect-hub/projections";
import type { ReadTables } from "../readTables.ts";

export interface RebuildTablesOptions {
  readonly lanes: readonly Lane[];
  readonly compare: boolean;
  readonly swap: boolean;
  readonly signal: AbortSignal;
  onProgress?(done: number, total: number): void;
  say?(message: string): void;
  readonly step?: ((name: RebuildStep) => void | Promise<void>) | undefined;
}

/** What came of the read tables of one context. */
export interface RebuiltTables extends Rebuilt {
  readonly projection: Context;
}

/** Fills these tables anew, one context after another, up to the first that does not end as asked. */
export async function rebuildTables(
  tables: readonly ReadTables[],
  { lanes, ...options }: RebuildTablesOptions,
): Promise<RebuiltTables[]> {
  const all: RebuiltTables[] = [];
  for (const { name, model, generations } of tables) {
    options.say?.(`Filling new tables of the ${name} …`);
    const own = lanes.filter(({ id }) => id.startsWith(`${name}.`));
    const rebuilt = await rebuild({ ...options, generations, model, lanes: own });
    all.push({ projection: name, ...rebuilt });
    if (rebuilt.outcome !== "swapped" && rebuilt.outcome !== "built") break;
  }
  return all;
}
