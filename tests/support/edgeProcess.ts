import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appArgs, freePort } from "@connect-hub/runtime";

/** An edge in a process of its own, which may be killed or stopped. */
export interface EdgeProcess {
  readonly url: string;
  readonly child: ChildProcess;
}

const started = new Set<ChildProcess>();

/** Starts one; resolves when it says that it has started. */
export async function startEdgeProcess(env: Readonly<Record<string, string>>, port?: number): Promise<EdgeProcess> {
  const at = port ?? (await freePort());
  const child = spawn(process.execPath, appArgs(["edge"]), {
    env: { ...process.env, ...env, HUB_PORT: String(at) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  started.add(child);
  child.once("exit", () => started.delete(child));
  await once(child, "message");
  return { url: `http://127.0.0.1:${at}`, child };
}

/** Kills all that were started here, also those that are stopped. */
export function killEdgeProcesses(): void {
  for (const child of started) child.kill("SIGKILL");
}
