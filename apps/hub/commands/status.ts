import type { Command } from "commander";
import { type BoxState, isSupervised, readBoxState } from "../box/boxState.ts";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";
import { textTable } from "../table.ts";

/** `hub status`: what runs, where it came from, where its data lies. */
export function registerStatus(program: Command, context: CommandContext): void {
  program
    .command("status")
    .description("what runs: servers (source, version, address, data folder) and app processes")
    .option("--json", "for programs")
    .action(({ json }: { readonly json?: true }) => {
      const { dataDir } = context.config();
      const state = readBoxState(dataDir);
      const running = state !== undefined && isSupervised(state);
      if (!running) context.exitWith(exitCodes.notRunning);
      if (json === true) console.log(JSON.stringify(statusJson(dataDir, running ? state : undefined), undefined, 2));
      else if (running) console.log(statusText(state));
      else console.log(`The box in ${dataDir} isn't running. Start it by: npm run hub -- up`);
    });
}

/** What `status --json` prints. */
function statusJson(dataFolder: string, state: BoxState | undefined) {
  if (state === undefined) return { running: false, phase: "stopped", dataFolder, servers: [], processes: [] };
  return { running: true, ...state };
}

function statusText(state: BoxState): string {
  const servers = textTable(
    ["server", "source", "version", "address", "pid", "state", "restarts", "data"],
    state.servers.map(({ kind, source, version, address, pid, state: its, restarts, dataFolder }) =>
      [kind, source, version, address, pid ?? "", its ?? "", restarts, dataFolder ?? ""].map(String),
    ),
  );
  const processes = textTable(
    ["process", "pid", "state", "restarts"],
    state.processes.map(({ name, pid, state: its, restarts }) => [name, pid ?? "", its, restarts].map(String)),
  );
  const first = `Connect Hub is ${state.phase} at ${state.address}, supervised by process ${state.supervisor.pid}.`;
  return [first, servers, processes].join("\n");
}
