import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { appArgs, checkout } from "@connect-hub/runtime";

/** What `hub status --json` says of one process. */
export interface ProcessStatus {
  readonly name: string;
  readonly pid: number | null;
  readonly state: string | null;
  readonly restarts: number;
}

/** What came of one `hub` command. */
export interface HubResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A box of the demo's own, driven as an operator would drive it. */
export interface Box {
  readonly address: string;
  readonly folder: string;
  /** Where the clients' journal lies: beside the box, not in it. */
  readonly journalFile: string;
  /** Runs `hub` on this box. */
  hub(...args: readonly string[]): Promise<HubResult>;
  /** All servers and apps, by name: `nats`, `postgres`, `valkey`, `edge`, `commands`, `projector`, `placement`. */
  processes(): Promise<readonly ProcessStatus[]>;
  /** Stops it and removes its folder and the journal. May be called again. */
  close(): Promise<void>;
}

/** Free ports, every app a process of its own, and none of the machine's settings but where servers come from. */
const ownEnvironment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HUB_"))),
  ...(process.env.HUB_SERVERS && { HUB_SERVERS: process.env.HUB_SERVERS }),
  ...(process.env.HUB_CACHE && { HUB_CACHE: process.env.HUB_CACHE }),
  HUB_PORT: "0",
  HUB_NATS_PORT: "0",
  HUB_POSTGRES_PORT: "0",
  HUB_VALKEY_PORT: "0",
  HUB_PLACEMENT_PORT: "0",
  HUB_PROCESSES: "edge,commands,projector,placement",
};

/**
 * Starts a box in a fresh folder with `settings` beside the usual ones; `onBox` is given what ends it, before it is started. Throws with what `hub up` said when it
 * can't; what was started is ended.
 */
export async function startBox(
  onBox: (close: () => Promise<void>) => void,
  settings: { readonly [variable: string]: string },
): Promise<Box> {
  const environment = { ...ownEnvironment, ...settings };
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-demo-"));
  const hub = (...args: readonly string[]) => runHub(["--data", folder, ...args], environment);
  const journalFile = `${folder}.journal`;
  const close = async () => {
    const down = existsSync(folder) ? await hub("down") : undefined;
    // What may still run keeps its folder, so that it can be found and stopped.
    if (down !== undefined && down.code !== 0) throw new Error(`The box in ${folder} was not stopped: ${down.stderr}`);
    rmSync(folder, { recursive: true, force: true });
    rmSync(journalFile, { force: true });
  };
  onBox(close);
  const status = async () => parseStatus(await hub("status", "--json"));
  try {
    const up = await hub("up");
    if (up.code !== 0) throw new Error(`hub up ended with ${up.code}:\n${up.stdout}${up.stderr}`);
    const { address } = await status();
    return { address, folder, journalFile, hub, close, processes: async () => (await status()).all };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Status {
  readonly address: string;
  readonly servers: readonly (Omit<ProcessStatus, "name"> & { readonly kind: string })[];
  readonly processes: readonly ProcessStatus[];
}

function parseStatus({ code, stdout, stderr }: HubResult) {
  if (code !== 0) throw new Error(`hub status ended with ${code}:\n${stdout}${stderr}`);
  const { address, servers, processes }: Status = JSON.parse(stdout);
  return { address, all: [...servers.map(({ kind, ...rest }) => ({ ...rest, name: kind })), ...processes] };
}

function runHub(args: readonly string[], env: NodeJS.ProcessEnv): Promise<HubResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...appArgs(["hub"]), ...args], { cwd: checkout, env });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}
