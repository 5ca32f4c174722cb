import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type DataFolder, endLeftover, isRunning, openDataFolder, ownerOf, waitFor } from "@connect-hub/runtime";
import type { Command } from "commander";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";

const stopTimeoutMs = 90_000;

/** `hub down`: stops the box, whoever started it. */
export function registerDown(program: Command, context: CommandContext): void {
  program
    .command("down")
    .description("stop the box and wait until everything in it is gone")
    .action(async () => {
      const folder = openDataFolder(context.config().dataDir);
      const owner = ownerOf(folder);
      if (owner === undefined) {
        const ended = await endLeftovers(folder);
        console.log(
          ended === 0 ? `Nothing runs in ${folder.path}.` : `Ended what a killed box left in ${folder.path}.`,
        );
        return;
      }
      process.kill(owner.pid, "SIGTERM");
      const gone = await waitFor(() => !isRunning(owner), { timeoutMs: stopTimeoutMs, everyMs: 30 });
      if (gone === true) console.log(`Stopped the box in ${folder.path}.`);
      else {
        console.error(`Process ${owner.pid} has not stopped in ${stopTimeoutMs / 1_000} s; see ${folder.logs}.`);
        context.exitWith(exitCodes.failed);
      }
    });
}

// A supervisor that was killed leaves servers; its apps have ended by themselves, or are about to.
async function endLeftovers(folder: DataFolder): Promise<number> {
  const files = readdirSync(folder.run).filter((name) => name.endsWith(".pid") && name !== "owner.pid");
  const rank = (name: string) => (/^(nats|postgres|valkey)\.pid$/.test(name) ? 1 : 0);
  for (const file of files.toSorted((a, b) => rank(a) - rank(b))) {
    await endLeftover(join(folder.run, file), file === "postgres.pid" ? "SIGINT" : "SIGTERM", 20_000);
  }
  return files.length;
}
