import Table from "cli-table3";
import type { Command } from "commander";
import { type BoxState, isSupervised, readBoxState } from "../box/boxState.ts";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";

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
  const servers = new Table({ head: ["server", "source", "version", "address", "pid", "state", "restarts", "data"] });
  for (const one of state.servers) {
    const { kind, source, version, address, pid, state: its, restarts, dataFolder } = one;
    servers.push([kind, source, version, address, pid ?? "", its ?? "", restarts, dataFolder ?? ""]);
  }
  const processes = new Table({ head: ["process", "pid", "state", "restarts"] });
  for (const { name, pid, state: its, restarts } of state.processes) processes.push([name, pid ?? "", its, restarts]);
  const first = `Connect Hub is ${state.phase} at ${state.address}, supervised by process ${state.supervisor.pid}.`;
  return [first, servers.toString(), processes.toString()].join("\n");
}
