import { statfs } from "node:fs/promises";
import { readBoxState } from "../box/boxState.ts";
import { inBytes } from "../inBytes.ts";
import type { ReadTables } from "../readTables.ts";

/** Beside the tables: what Postgres logs of them before it is written. */
const spareBytes = 256 * 1024 ** 2;

/**
 * Throws, with the figures, when the disk of a box's own Postgres has no room for another generation of these tables. Of a Postgres
 * elsewhere nothing is known.
 */
export async function assertDiskRoom(dataDir: string, tables: readonly ReadTables[]): Promise<void> {
  const folder = readBoxState(dataDir)?.servers.find(({ kind }) => kind === "postgres")?.dataFolder;
  if (folder === undefined || folder === null) return;
  const { bavail, bsize } = await statfs(folder);
  assertRoom({ neededBytes: await servedBytes(tables), freeBytes: bavail * bsize, folder });
}

/** Throws when there is no room. */
export function assertRoom(room: {
  readonly neededBytes: number;
  readonly freeBytes: number;
  readonly folder: string;
}): void {
  if (room.freeBytes >= room.neededBytes + spareBytes) return;
  throw new Error(
    `New tables take about ${inBytes(room.neededBytes)} beside the served ones, and some ${inBytes(spareBytes)} while they are filled, but ${room.folder} has ${inBytes(room.freeBytes)} free. Nothing was changed. Free some, or give up tables that are kept: hub projections drop`,
  );
}

/** What the served generations of these tables take on the disk. */
async function servedBytes(tables: readonly ReadTables[]): Promise<number> {
  let bytes = 0;
  for (const { generations } of tables) {
    const served = (await generations.list()).find(({ state }) => state === "served");
    if (served !== undefined) bytes += await generations.bytes(served.number);
  }
  return bytes;
}
