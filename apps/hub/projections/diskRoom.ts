import { statfs } from "node:fs/promises";
import { readBoxState } from "../box/boxState.ts";
import { inBytes } from "../inBytes.ts";
import type { ReadTables } from "../readTables.ts";

/** Beside the tables and what Postgres logs of them: everything else that is written meanwhile. */
const spareBytes = 256 * 1024 ** 2;

/**
 * Throws, with the figures, when the disk of a box's own Postgres has no room for another generation of these tables, those that are being filled
 * already left out. Of a Postgres elsewhere nothing is known.
 */
export async function assertDiskRoom(dataDir: string, tables: readonly ReadTables[]): Promise<void> {
  const folder = readBoxState(dataDir)?.servers.find(({ kind }) => kind === "postgres")?.dataFolder;
  if (folder === undefined || folder === null) return;
  const { bavail, bsize } = await statfs(folder);
  assertRoom({
    ...{ neededBytes: await servedBytes(tables), freeBytes: bavail * bsize, folder },
    walBytes: await mostWalBytes(tables),
  });
}

/** Throws when there is no room. */
export function assertRoom(room: {
  readonly neededBytes: number;
  /** What Postgres keeps of its own log at most, about. */
  readonly walBytes: number;
  readonly freeBytes: number;
  readonly folder: string;
}): void {
  // What is written to tables is logged first, in about as many bytes.
  const besides = spareBytes + Math.min(room.neededBytes, room.walBytes);
  if (room.freeBytes >= room.neededBytes + besides) return;
  throw new Error(
    `New tables take about ${inBytes(room.neededBytes)} beside the served ones, and some ${inBytes(besides)} while they are filled, but ${room.folder} has ${inBytes(room.freeBytes)} free. Nothing was changed. Free some, or give up tables that are kept: npm run hub -- projections drop`,
  );
}

/** What the served generations of these tables take on the disk, of which no new ones are being filled. */
async function servedBytes(tables: readonly ReadTables[]): Promise<number> {
  let bytes = 0;
  for (const { generations } of tables) {
    const all = await generations.list();
    const served = all.find(({ state }) => state === "served");
    const isFilled = all.some(({ state }) => state === "building");
    if (served !== undefined && !isFilled) bytes += await generations.bytes(served.number);
  }
  return bytes;
}

async function mostWalBytes([one]: readonly ReadTables[]): Promise<number> {
  if (one === undefined) return 0;
  const { rows } = await one.pool.query<{ bytes: string }>(
    "select pg_size_bytes(current_setting('max_wal_size'))::text as bytes",
  );
  return Number(rows[0]?.bytes ?? 0);
}
