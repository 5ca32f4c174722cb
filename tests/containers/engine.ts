import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  claimDataFolder,
  defaultCacheFolder,
  endLeftover,
  openDataFolder,
  ownerOf,
  type SupervisedProcess,
  superviseProcess,
  writeFileAtomic,
} from "@connect-hub/runtime";
import { type ContainerRuntimeClient, getContainerRuntimeClient } from "testcontainers";
import { output } from "./output.ts";
import { answersAt, isEngineThere } from "./pingEngine.ts";

/** A container engine that answers. */
export interface Engine {
  readonly client: ContainerRuntimeClient;
  /** Whether it was started here, for this run alone. */
  readonly isOwn: boolean;
  /** Stops it if it was started here; one that ran before is left alone. */
  close(): Promise<void>;
}

const program = "/usr/sbin/dockerd";
const startMs = 60_000;
const stopMs = 30_000;

/**
 * The engine that runs already, or, for root on Linux, one of our own: installed by apt if need be, then started with a socket in a
 * temporary folder and its images in the cache folder, so that a later run has them. It touches no network settings of the machine.
 * Throws, naming the command that would help, when there is none and none can be started.
 */
export async function openEngine(say: (text: string) => void): Promise<Engine> {
  // The reaper is a container by itself, from an image that a machine without a registry can't have.
  process.env.TESTCONTAINERS_RYUK_DISABLED = "true";
  process.env.TESTCONTAINERS_HOST_OVERRIDE ??= "127.0.0.1";
  if (await isEngineThere()) return othersEngine();
  if (process.platform !== "linux") throw new Error("No container engine answers. Start Docker, then try again.");
  if (process.getuid?.() !== 0) {
    throw new Error(
      "No container engine answers. Start one (sudo apt-get install docker.io && sudo systemctl start docker, and be a member of " +
        "the group docker), or run this as root: then it starts one of its own.",
    );
  }
  if (!existsSync(program)) {
    await aptInstall("docker.io", say);
    // Where a service manager runs, the package has started one by itself.
    if (await isEngineThere()) return othersEngine();
  }
  return startEngine(say);
}

/** Installs a Debian package with what it needs and no more. */
export async function aptInstall(name: string, say: (text: string) => void): Promise<void> {
  say(`Installing ${name} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = () => output("apt-get", ["install", "-qq", "--yes", "--no-install-recommends", name], { env });
  try {
    await install();
  } catch {
    // The lists of packages may be missing or old.
    await output("apt-get", ["update", "-qq"], { env });
    await install();
  }
}

async function othersEngine(): Promise<Engine> {
  return { client: await getContainerRuntimeClient(), isOwn: false, close: async () => {} };
}

async function startEngine(say: (text: string) => void): Promise<Engine> {
  say("No container engine answers; starting one …");
  const home = join(defaultCacheFolder(), "engine");
  const folder = openDataFolder(home);
  const other = ownerOf(folder);
  if (other !== undefined)
    throw new Error(`Process ${other.pid} runs tests against containers already; wait for its end.`);
  const claim = claimDataFolder(folder);
  const pidFile = join(folder.run, "dockerd.pid");
  const runNote = join(folder.run, "engine-folder");
  // What a killed run left behind.
  await endLeftover(pidFile, "SIGTERM", stopMs);
  if (existsSync(runNote)) await removeEngineFolder(readFileSync(runNote, "utf8"));
  // A socket's path has to be short, and what lies beside it is of no use after the run.
  const run = mkdtempSync(join(tmpdir(), "connect-hub-engine-"));
  writeFileAtomic(runNote, run);
  const socket = join(run, "docker.sock");
  let engine: SupervisedProcess | undefined;
  const close = async () => {
    await engine?.stop();
    await removeEngineFolder(run);
    // It mounts the folder of its images on itself.
    await unmountInside(home);
    rmSync(runNote, { force: true });
    claim.release();
  };
  try {
    mkdirSync(join(home, "images"), { recursive: true, mode: 0o711 });
    // The machine's own configuration is for the machine's own engine.
    writeFileSync(join(run, "daemon.json"), "{}\n");
    engine = await superviseProcess({
      name: "dockerd",
      command: program,
      args: [
        ...["--host", `unix://${socket}`, "--group", "root", "--config-file", join(run, "daemon.json")],
        ...[
          "--data-root",
          join(home, "images"),
          "--exec-root",
          join(run, "exec"),
          "--pidfile",
          join(run, "dockerd.pid"),
        ],
        // Containers use the host's network, on the loopback address, so none of these is needed.
        ...["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"],
      ],
      env: { PATH: process.env.PATH ?? "" },
      cwd: "/",
      logFile: join(folder.logs, "dockerd.log"),
      pidFile,
      isReady: () => answersAt(socket),
      readyTimeoutMs: startMs,
      stopSignal: "SIGTERM",
      stopTimeoutMs: stopMs,
    });
    // The library looks at this once, when it is first asked for a client.
    process.env.DOCKER_HOST = `unix://${socket}`;
    return { client: await getContainerRuntimeClient(), isOwn: true, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Removes what an engine that has ended leaves: its folder, with the network namespace of its containers mounted in it. */
async function removeEngineFolder(path: string): Promise<void> {
  await unmountInside(path);
  rmSync(path, { recursive: true, force: true });
}

async function unmountInside(path: string): Promise<void> {
  const mounts = readFileSync("/proc/self/mounts", "utf8").matchAll(/^\S+ (\S+) /gm);
  const inside = [...mounts].flatMap(([, mount = ""]) => (mount.startsWith(`${path}/`) ? [mount] : []));
  // What was mounted last lies on top.
  for (const mount of inside.reverse()) await output("umount", ["--lazy", mount]);
}
