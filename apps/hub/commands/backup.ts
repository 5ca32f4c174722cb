import type { Command } from "commander";
import { withBackupSources } from "../backup/boxParts.ts";
import { laneFile, type Manifest } from "../backup/manifest.ts";
import { progressBars } from "../backup/progressBars.ts";
import { assertNoRestore } from "../backup/restoreMarker.ts";
import { takeBackup } from "../backup/takeBackup.ts";
import { connectionsOfRunning } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { inBytes } from "../inBytes.ts";
import { textTable } from "../table.ts";
import { typed } from "../typed.ts";
import { untilSignal } from "../untilSignal.ts";

/** `hub backup`: all that a box can't make again, in one folder. */
export function registerBackup(program: Command, context: CommandContext): void {
  program
    .command("backup")
    .description("write a backup of the running box to a new folder, while people go on")
    .argument("<folder>", "where to; it must not be there")
    .option("--json", "for programs")
    .action(async (folder: string, { json }: { readonly json?: true }) => {
      const { dataDir } = context.config();
      const connections = connectionsOfRunning(dataDir);
      assertNoRestore(dataDir);
      const dir = typed(folder);
      const { signal, release } = untilSignal();
      const bars = progressBars(json === true);
      try {
        const manifest = await withBackupSources(connections, (sources) =>
          takeBackup(dir, sources, { signal, onProgress: bars.show }),
        );
        bars.end();
        console.log(
          json === true ? JSON.stringify(backupJson(dir, manifest), undefined, 2) : backupText(dir, manifest),
        );
      } finally {
        bars.end();
        release();
      }
    });
}

/** What a program is told of a backup. */
export function backupJson(dir: string, manifest: Manifest) {
  const { createdAt, lanes, vault, elsewhere, files } = manifest;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return { folder: dir, createdAt, lanes, keys: vault.keys, files: files.length, bytes, elsewhere: elsewhere.length };
}

/** What a person is told of a backup. */
export function backupText(dir: string, manifest: Manifest): string {
  const { bytes, keys, elsewhere } = backupJson(dir, manifest);
  const sizeOf = (path: string) => inBytes(manifest.files.find((file) => file.path === path)?.size ?? 0);
  const lanes = textTable(
    ["lane", "commits", "size"],
    manifest.lanes.map(({ lane, n }) => [lane, String(n), sizeOf(laneFile(lane))]),
  );
  const blobs = manifest.files.filter(({ path }) => path.startsWith("blobs/"));
  const onNodes = elsewhere === 0 ? "" : `; ${elsewhere} lie on nodes alone and are not in it`;
  return [
    `A backup of ${manifest.createdAt} is in ${dir}: ${inBytes(bytes)}.`,
    lanes,
    `${keys} keys of the vault and its root key; the bytes of ${blobs.length} files${onNodes}.`,
    "Whoever has this folder can read everything: keep it as you keep the box.",
  ].join("\n");
}
