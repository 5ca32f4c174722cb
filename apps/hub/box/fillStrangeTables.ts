import { factsVersionOf } from "@connect-hub/domain/kernel";
import { rebuildSteps } from "@connect-hub/projections";
import { type DataFolder, failpoint } from "@connect-hub/runtime";
import { withLanesOf } from "../lanes.ts";
import { progressBar } from "../progressBar.ts";
import { assertDiskRoom } from "../projections/diskRoom.ts";
import { rebuildTables } from "../projections/rebuildTables.ts";
import { rebuiltText } from "../projections/rebuiltText.ts";
import { type ReadTables, withTablesOf } from "../readTables.ts";
import { startAppProcesses } from "./appProcesses.ts";
import type { Connections } from "./connections.ts";

export interface FillOptions {
  readonly folder: DataFolder;
  readonly signal: AbortSignal;
  onProgress(message: string): void;
}

/**
 * After an upgrade or a downgrade: fills new tables where the served ones are of another version of the code, before anything is
 * served, and drops the former ones, which nothing projects any more. A projector alone does it; begun again after a break, it goes on
 * with the tables that it was filling. Throws when it can't be done.
 */
export async function fillStrangeTables(connections: Connections, options: FillOptions): Promise<void> {
  await withTablesOf(connections, async (all) => {
    const strange: ReadTables[] = [];
    for (const tables of all) if (await isStrange(tables)) strange.push(tables);
    if (strange.length === 0) return;
    const names = strange.map(({ name }) => name).join(", ");
    options.onProgress(
      `The read tables (${names}) are of another version of the code: filling new ones from the log …`,
    );
    const { folder, signal } = options;
    await assertDiskRoom(folder.path, strange);
    const processes = [{ name: "projector", apps: ["projector"] as const }];
    const parts = { connections, folder, signal, onChange: () => {} };
    const apps = await startAppProcesses({ ...parts, processes });
    try {
      await fill(connections, strange, options);
    } finally {
      await apps.close();
    }
  });
}

async function isStrange({ generations, model }: ReadTables): Promise<boolean> {
  const served = (await generations.list()).find(({ state }) => state === "served");
  return served?.factsVersion !== factsVersionOf(model);
}

async function fill(
  connections: Connections,
  strange: readonly ReadTables[],
  { onProgress: say, signal }: FillOptions,
): Promise<void> {
  const bar = progressBar("commits");
  const step = failpoint(rebuildSteps);
  const how = { compare: false, swap: true, signal, onProgress: bar.show, step };
  const rebuilt = await withLanesOf(connections, (lanes) => rebuildTables(strange, { ...how, lanes }));
  bar.end();
  signal.throwIfAborted();
  const failed = rebuilt.find(({ outcome }) => outcome !== "swapped");
  if (failed !== undefined) throw new Error(rebuiltText([failed], 0));
  for (const { generations } of strange) {
    for (const { number, state } of await generations.list()) if (state === "kept") await generations.giveUp(number);
    await generations.clean();
  }
  say(`The tables are filled: ${rebuilt.reduce((sum, { commits }) => sum + commits, 0)} commits.`);
}
