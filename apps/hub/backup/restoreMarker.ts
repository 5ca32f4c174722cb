import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { LaneId } from "@connect-hub/domain/values";
import { readJsonIfThere, writeFileAtomic } from "@connect-hub/runtime";
import { z } from "zod";
import { RestoreUnfinished } from "../exitCodes.ts";
import type { CheckedBackup } from "./checkBackup.ts";

const schema = z.object({
  /** The folder of the backup. */
  backup: z.string(),
  /** Which backup: the hash of its manifest. */
  hash: z.string(),
  /** The epochs that its lanes go on in, chosen once. */
  epochs: z.record(z.string(), z.string()),
  startedAt: z.string(),
});

/** That a restore was begun in a data folder; it lies there until the restore is finished. */
export type RestoreMarker = Readonly<z.infer<typeof schema>>;

/** The marker of a restore that was begun and not finished, or undefined. */
export function readRestoreMarker(dataDir: string): RestoreMarker | undefined {
  const parsed = schema.safeParse(readJsonIfThere(pathOf(dataDir)));
  return parsed.success ? parsed.data : undefined;
}

/**
 * Notes that the restore of a backup begins, or goes on: one that was begun with the same backup keeps its epochs. `lanes` are
 * all that the box is to have.
 */
export function writeRestoreMarker(dataDir: string, backup: CheckedBackup, lanes: readonly LaneId[]): RestoreMarker {
  const before = readRestoreMarker(dataDir);
  const known: Readonly<Record<string, string>> = before?.hash === backup.hash ? before.epochs : {};
  const epochs = Object.fromEntries(lanes.map((lane) => [lane, known[lane] ?? randomBytes(16).toString("hex")]));
  const marker = { backup: backup.folder, hash: backup.hash, epochs, startedAt: new Date().toISOString() };
  writeFileAtomic(pathOf(dataDir), `${JSON.stringify(marker, undefined, 2)}\n`, 0o600);
  return marker;
}

/** The restore is finished. */
export function removeRestoreMarker(dataDir: string): void {
  rmSync(pathOf(dataDir), { force: true });
}

/** Throws `RestoreUnfinished` while a restore is not finished: nothing may be served from a half of it. */
export function assertNoRestore(dataDir: string): void {
  const marker = readRestoreMarker(dataDir);
  if (marker === undefined) return;
  throw new RestoreUnfinished(
    `A restore of ${dataDir} was begun at ${marker.startedAt} and not finished. Finish it by: npm run hub -- restore --yes ${marker.backup}`,
  );
}

function pathOf(dataDir: string): string {
  return join(dataDir, "restoring.json");
}
