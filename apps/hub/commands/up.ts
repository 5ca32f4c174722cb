import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { appArgs, checkout, openDataFolder, ownerOf, waitFor } from "@connect-hub/runtime";
import type { Command } from "commander";
import { assertNoRestore } from "../backup/restoreMarker.ts";
import { type BoxState, readBoxState } from "../box/boxState.ts";
import type { CommandContext } from "../cli.ts";
import { welcome } from "./serve.ts";

// The first start may have to fetch servers over a slow line.
const startTimeoutMs = 10 * 60_000;

/** `hub up`: the box in the background. */
export function registerUp(program: Command, context: CommandContext): void {
  program
    .command("up")
    .description("start the box in the background and wait until it serves")
    .option("--json", "for programs")
    .action(async ({ json }: { readonly json?: true }) => {
      const { dataDir } = context.config();
      const folder = openDataFolder(dataDir);
      assertNoRestore(dataDir);
      const there = ownerOf(folder) === undefined ? undefined : readBoxState(dataDir);
      if (there?.phase === "ready") {
        if (json === true) return console.log(JSON.stringify({ address: there.address, dataFolder: dataDir }));
        console.log(`Connect Hub serves already at ${there.address}   (data in ${dataDir})`);
        return;
      }
      const log = join(folder.logs, "hub.log");
      const state = await startDetached(dataDir, log);
      if (typeof state === "number") return context.exitWith(state);
      if (json === true) return console.log(JSON.stringify({ address: state.address, dataFolder: dataDir }));
      console.log(`${welcome(state.address, dataDir)}  npm run hub -- down            stop it (its log: ${log})\n`);
    });
}

// The state once it serves, or the exit code of a start that failed; its words are passed on either way.
export async function startDetached(dataDir: string, log: string): Promise<BoxState | number> {
  mkdirSync(join(dataDir, "logs"), { recursive: true });
  const from = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  const output = openSync(log, "a", 0o600);
  const child = spawn(process.execPath, [...appArgs(["hub"]), "--data", dataDir, "serve"], {
    cwd: checkout,
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  let exitCode: number | undefined;
  child.once("error", () => {
    exitCode = 1;
  });
  child.once("exit", (code) => {
    exitCode = code ?? 1;
  });
  let shown = from;
  const show = () => {
    const bytes = readFileSync(log);
    const text = bytes.subarray(shown).toString("utf8");
    // What is said to a person at the end is said by this command.
    process.stderr.write(text.split("\nConnect Hub serves at")[0] ?? "");
    shown = bytes.length;
  };
  const outcome = await waitFor(
    () => {
      const state = readBoxState(dataDir);
      if (state?.phase === "ready" && state.supervisor.pid === child.pid) return state;
      show();
      return exitCode;
    },
    { timeoutMs: startTimeoutMs, everyMs: 50 },
  );
  show();
  child.unref();
  if (outcome === undefined) process.kill(-(child.pid ?? 0), "SIGTERM");
  return outcome ?? 1;
}
