import {
  type BoxServers,
  type DataFolder,
  identifyProcess,
  openDataFolder,
  ownerOf,
  type RunningServer,
  RuntimeError,
  readServices,
  startServers,
  waitFor,
} from "@connect-hub/runtime";
import type { HubConfig } from "../config.ts";
import { type AppProcess, doorProcess } from "./appProcess.ts";
import { type AppProcesses, doorPorts, endLeftoverApps, startAppProcesses } from "./appProcesses.ts";
import { type BoxState, type ServerState, writeBoxState } from "./boxState.ts";
import { type Connections, connectionsOf, writeConnections } from "./connections.ts";
import { assertCertificate, isReady } from "./edgeDoor.ts";
import { fillStrangeTables } from "./fillStrangeTables.ts";
import { finishClosedLanes } from "./finishClosedLanes.ts";
import { migrate, postgresVersion } from "./migrate.ts";

/** What a box may be given in a test, and who is told what it does. */
export interface ServeBoxOptions {
  readonly onProgress: (message: string) => void;
  /** When it fires during the start, what was started is stopped and `serveBox` throws. */
  readonly signal: AbortSignal;
  /** Holds a `.js` file for each app; default: the bundle. */
  readonly appsFolder?: string;
  readonly migrate?: (connections: Connections, onProgress: (message: string) => void) => Promise<void>;
}

/** A box that serves. */
export interface ServingBox {
  /** Where the edge answers. */
  readonly address: string;
  readonly connections: Connections;
  /** Looks at the box's services again: one that was added may need the door. */
  lookAtServices(): Promise<void>;
  /** Stops and starts the edges, one after another. */
  restartEdges(): Promise<void>;
  /** Stops all: the apps, doors first, then the servers. */
  close(): Promise<void>;
}

/**
 * Starts everything that one box needs and resolves when the edge says that it is ready. All is started again when it dies.
 * @throws RuntimeError when something can't be had; what was started is stopped first
 */
export async function serveBox(config: HubConfig, options: ServeBoxOptions): Promise<ServingBox> {
  const folder = openDataFolder(config.dataDir);
  // Before anything of another supervisor is touched.
  const owner = ownerOf(folder);
  if (owner !== undefined) throw alreadyServed(folder, owner.pid);
  const box = new Box(config, folder);
  try {
    await box.start(options);
  } catch (error) {
    await box.close();
    throw error;
  }
  return box;
}

class Box implements ServingBox {
  address = "";
  readonly #config: HubConfig;
  readonly #folder: DataFolder;
  #phase: BoxState["phase"] = "starting";
  #servers: BoxServers | undefined;
  #apps: AppProcesses | undefined;
  /** Starts one more process, as all others were. */
  #startMore: ((plan: AppProcess) => Promise<AppProcesses>) | undefined;
  #door: AppProcesses | undefined;
  #connections: Connections | undefined;
  #finishing: { close(): Promise<void> } | undefined;

  constructor(config: HubConfig, folder: DataFolder) {
    this.#config = config;
    this.#folder = folder;
  }

  get connections(): Connections {
    if (this.#connections === undefined) throw new Error("The box has not been started.");
    return this.#connections;
  }

  async start(options: ServeBoxOptions): Promise<void> {
    const { onProgress, signal } = options;
    const { processes, host, tls } = this.#config;
    await assertCertificate(tls);
    await endLeftoverApps([...processes, doorProcess], this.#folder);
    const ports = await doorPorts(this.#config);
    this.address = `${tls === undefined ? "http" : "https"}://${addressHost(host)}:${ports.edge}`;
    onProgress("Starting the servers …");
    const onChange = () => this.#write();
    this.#servers = await startServers({ ...serversOptions(this.#config), onProgress, onChange, signal });
    this.#write();
    signal.throwIfAborted();
    this.#connections = connectionsOf(this.#servers, this.#config, this.#folder, ports);
    writeConnections(this.#folder.path, this.#connections);
    await (options.migrate ?? migrate)(this.#connections, onProgress);
    signal.throwIfAborted();
    if (options.migrate === undefined)
      this.#finishing = await finishClosedLanes(this.#connections, { say: onProgress });
    signal.throwIfAborted();
    if (options.migrate === undefined && processes.some(({ apps }) => apps.includes("projector")))
      await fillStrangeTables(this.#connections, { folder: this.#folder, signal, onProgress });
    signal.throwIfAborted();
    onProgress(`Starting ${processes.map(({ name }) => name).join(", ")} …`);
    const { appsFolder } = options;
    const parts = { connections: this.#connections, folder: this.#folder, appsFolder, onChange, signal };
    this.#apps = await startAppProcesses({ ...parts, processes });
    this.#startMore = (plan) => startAppProcesses({ ...parts, processes: [plan] });
    await this.lookAtServices();
    if (processes.some(({ apps }) => apps.includes("edge"))) await waitUntilReady(this.address, signal);
    this.#phase = "ready";
    this.#write();
  }

  async lookAtServices(): Promise<void> {
    const needsDoor = readServices(this.#folder).length > 0;
    const isThere = this.#config.processes.some(({ apps }) => apps.includes("door")) || this.#door !== undefined;
    if (!needsDoor || isThere || this.#phase === "stopping") return;
    this.#door = await this.#startMore?.(doorProcess);
    this.#write();
  }

  async restartEdges(): Promise<void> {
    await this.#apps?.restart("edge");
    this.#write();
  }

  async close(): Promise<void> {
    this.#phase = "stopping";
    this.#write();
    await this.#door?.close();
    await this.#apps?.close();
    await this.#finishing?.close();
    await this.#servers?.close();
  }

  // A full disk makes the state stale, no more: nothing that runs depends on it.
  #write(): void {
    try {
      this.#writeState();
    } catch (error) {
      process.stderr.write(`The state can't be written: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }

  #writeState(): void {
    // Without servers the data folder may be another's.
    if (this.#servers === undefined) return;
    const own = identifyProcess(process.pid);
    if (own === undefined) return;
    writeBoxState(this.#folder.path, {
      phase: this.#phase,
      address: this.address,
      dataFolder: this.#folder.path,
      supervisor: own,
      servers: [this.#servers.nats, this.#servers.postgres, this.#servers.valkey].map(serverState),
      processes: [...(this.#apps?.all ?? []), ...(this.#door?.all ?? [])].map(
        ({ plan, process: { pid, state, restarts } }) => ({
          name: plan.name,
          apps: [...plan.apps],
          pid: pid ?? null,
          state,
          restarts,
        }),
      ),
    });
  }
}

function serverState({ kind, source, version, address, dataFolder, process }: RunningServer): ServerState {
  return {
    kind,
    source,
    version,
    address,
    dataFolder: dataFolder ?? null,
    pid: process?.pid ?? null,
    state: process?.state ?? null,
    restarts: process?.restarts ?? 0,
  };
}

/** How the servers of a box are started. */
export function serversOptions(config: HubConfig) {
  const { nats, postgres, valkey } = config.urls;
  return {
    dataDir: config.dataDir,
    ports: config.ports,
    urls: { nats, postgres, valkey },
    privateOnly: config.privateOnly,
    postgresVersion,
    ...(config.cacheFolder === undefined ? {} : { cacheFolder: config.cacheFolder }),
  };
}

async function waitUntilReady(address: string, signal: AbortSignal): Promise<void> {
  const ready = await waitFor(() => isReady(address), { timeoutMs: 60_000, everyMs: 50, signal });
  signal.throwIfAborted();
  if (ready !== true)
    throw new RuntimeError("ServerFailed", `The edge at ${address} started, but /ready never said so.`);
}

// An address that means "all" is not one to connect to.
function addressHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

function alreadyServed(folder: DataFolder, pid: number): RuntimeError {
  return new RuntimeError(
    "AlreadyRunning",
    `Process ${pid} already serves ${folder.path}. See: npm run hub -- status. Stop it by: npm run hub -- down`,
  );
}
