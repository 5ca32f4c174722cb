import { waitFor } from "@connect-hub/runtime";
import { Argument, type Command } from "commander";
import { type BoxState, isSupervised, readBoxState } from "../box/boxState.ts";
import type { CommandContext } from "../cli.ts";
import { NotRunning } from "../exitCodes.ts";

/** How long one edge may take to turn its clients away, stop, and start again. */
const perEdgeMs = 90_000;

/** `hub restart edges`: a deploy that clients don't notice when there are two edges or more. */
export function registerRestart(program: Command, context: CommandContext): void {
  program
    .command("restart")
    .description("stop and start the edges of the box, one after another; the others serve meanwhile")
    .addArgument(new Argument("<what>", "what to restart").choices(["edges"]))
    .option("--json", "for programs")
    .action(async (_: string, { json }: { readonly json?: true }) => {
      const { dataDir } = context.config();
      const before = readBoxState(dataDir);
      if (before === undefined || !isSupervised(before) || before.phase !== "ready")
        throw new NotRunning(`The box in ${dataDir} isn't running. Start it by: npm run hub -- up`);
      const pids = new Map(edgesOf(before).map(({ name, pid }) => [name, pid]));
      process.kill(before.supervisor.pid, "SIGUSR1");
      const isAnew = ({ name, pid, state }: BoxState["processes"][number]) =>
        state === "ready" && pid !== null && pid !== pids.get(name);
      const isDone = () => {
        const now = readBoxState(dataDir);
        return now !== undefined && edgesOf(now).every(isAnew);
      };
      const done = await waitFor(isDone, { timeoutMs: perEdgeMs * pids.size });
      if (done !== true)
        throw new Error(
          `Not all edges serve again; what failed stands in ${dataDir}/logs. Look at: npm run hub -- status`,
        );
      const restarted = [...pids.keys()];
      console.log(json === true ? JSON.stringify({ restarted }) : `Restarted ${restarted.join(", ")}.`);
    });
}

function edgesOf(state: BoxState): BoxState["processes"] {
  return state.processes.filter(({ apps }) => apps.includes("edge"));
}
