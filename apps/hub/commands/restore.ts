import type { Command } from "commander";
import { checkBackup } from "../backup/checkBackup.ts";
import { progressBars } from "../backup/progressBars.ts";
import { restoreBox } from "../backup/restoreBox.ts";
import type { CommandContext } from "../cli.ts";
import { typed } from "../typed.ts";
import { untilSignal } from "../untilSignal.ts";
import { backupJson, backupText } from "./backup.ts";

interface RestoreOptions {
  readonly yes?: true;
  readonly check?: true;
  readonly json?: true;
}

/** `hub restore`: makes the box what a backup says. */
export function registerRestore(program: Command, context: CommandContext): void {
  program
    .command("restore")
    .description("make the box what a backup says; a running one is stopped for that and started again")
    .argument("<folder>", "the backup")
    .option("--yes", "replace what the box has; what came after the backup is gone then")
    .option("--check", "only read the backup and check all of it")
    .option("--json", "for programs")
    .action(async (folder: string, { yes, check, json }: RestoreOptions) => {
      const dir = typed(folder);
      const { signal, release } = untilSignal();
      const bars = progressBars(json === true);
      try {
        const backup = await checkBackup(dir, { signal, onProgress: bars.show });
        bars.end();
        if (check === true) {
          const { manifest } = backup;
          console.log(
            json === true ? JSON.stringify(backupJson(dir, manifest), undefined, 2) : backupText(dir, manifest),
          );
          return;
        }
        const say = (message: string): void => {
          bars.end();
          if (json !== true) process.stderr.write(`${message}\n`);
        };
        const restored = await restoreBox(backup, context, { yes: yes === true, signal, say, onProgress: bars.show });
        bars.end();
        console.log(json === true ? JSON.stringify(restored, undefined, 2) : restoredText(restored));
        if (restored.exitCode !== 0) context.exitWith(restored.exitCode);
      } finally {
        bars.end();
        release();
      }
    });
}

function restoredText({
  createdAt,
  lanes,
  digest,
  address,
  dataFolder,
}: Awaited<ReturnType<typeof restoreBox>>): string {
  const commits = lanes.reduce((sum, { n }) => sum + n, 0);
  const next = address === null ? "Start it by: npm run hub -- up" : `It serves again at ${address}.`;
  const tables =
    digest === null ? "The tables are filled when it is started." : `The digest of its tables is ${digest}.`;
  return `The box in ${dataFolder} is as it was at ${createdAt}, with ${commits} commits in ${lanes.length} lanes. ${tables} ${next}`;
}
