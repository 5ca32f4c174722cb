import { join } from "node:path";
import {
  type AppStarted,
  appArgs,
  assertPortFree,
  checkout,
  type DataFolder,
  endLeftover,
  freePort,
  latestBundle,
  type SupervisedProcess,
  superviseProcess,
} from "@connect-hub/runtime";
import type { HubConfig } from "../config.ts";
import { type AppName, type AppProcess, stopRank } from "./appProcess.ts";
import { appEnvironment, type Connections, type DoorPorts } from "./connections.ts";

/** How to run the apps of a box. */
export interface AppProcessesOptions {
  readonly processes: readonly AppProcess[];
  readonly connections: Connections;
  readonly folder: DataFolder;
  /** Holds a `.js` file for each app; default: the bundle. */
  readonly appsFolder?: string | undefined;
  readonly onChange: () => void;
  /** Calls the start off. */
  readonly signal: AbortSignal;
}

/** The running processes of a box. */
export interface AppProcesses {
  readonly all: readonly { readonly plan: AppProcess; readonly process: SupervisedProcess }[];
  /**
   * Stops and starts those that `app` is in, one after another, each when the one before serves again. Throws `RuntimeError` when one does
   * not start; those after it go on as they are.
   */
  restart(app: AppName): Promise<void>;
  /** Stops them one after another, those at the door first. */
  close(): Promise<void>;
}

/** Ends the app processes that a killed supervisor left behind. */
export async function endLeftoverApps(processes: readonly AppProcess[], folder: DataFolder): Promise<void> {
  await Promise.all(processes.map(({ name }) => endLeftover(pidFileOf(folder, name), "SIGTERM", 20_000)));
}

/** Free ports for the doors of the apps; throws `PortInUse` naming HUB_PORT, HUB_PLACEMENT_PORT or HUB_METRICS_PORT. */
export async function doorPorts({ host, port, placementPort, metricsPort }: HubConfig): Promise<DoorPorts> {
  if (port !== 0) await assertPortFree(port, "HUB_PORT", "the edge", host);
  if (placementPort !== 0) await assertPortFree(placementPort, "HUB_PLACEMENT_PORT", "placement");
  if (metricsPort !== 0) await assertPortFree(metricsPort, "HUB_METRICS_PORT", "the metrics of the edge");
  return {
    edge: port === 0 ? await freePort() : port,
    placement: placementPort === 0 ? await freePort() : placementPort,
    metrics: metricsPort === 0 ? await freePort() : metricsPort,
  };
}

/** Starts all processes side by side and resolves when every app in them says that it has started. */
export async function startAppProcesses(options: AppProcessesOptions): Promise<AppProcesses> {
  // One that can't start calls the others off: they may be waiting for it.
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const settled = await Promise.allSettled(
    options.processes.map(async (plan) => {
      try {
        return { plan, process: await startOne(plan, { ...options, signal }) };
      } catch (error) {
        failure.abort(error);
        throw error;
      }
    }),
  );
  const all = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const stopping = new AbortController();
  const close = async () => {
    stopping.abort();
    for (const { process } of all.toSorted((a, b) => stopRank(a.plan) - stopRank(b.plan))) await process.stop();
  };
  if (signal.aborted) {
    await close();
    throw signal.reason;
  }
  const restart = async (app: AppName) => {
    for (const one of all.filter(({ plan }) => plan.apps.includes(app))) {
      if (stopping.signal.aborted) return;
      await one.process.stop();
      const { appsFolder = latestBundle } = options;
      one.process = await startOne(one.plan, { ...options, appsFolder, signal: stopping.signal });
    }
  };
  return { all, restart, close };
}

/**
 * A frozen edge keeps its part of the connections that come to the port. By now its lease has run out (docs/adr/0019), so that nothing is
 * lost with it that was served.
 */
const silentMs = 6_000;

function startOne(plan: AppProcess, options: AppProcessesOptions): Promise<SupervisedProcess> {
  const { folder, appsFolder } = options;
  const connections = withMetricsOf(plan, options.connections);
  return superviseProcess(
    {
      name: plan.name,
      command: process.execPath,
      args: appArgs(plan.apps, appsFolder),
      env: { ...definedOnly(process.env), ...appEnvironment(plan.apps, connections, folder.path), ...plan.env },
      cwd: checkout,
      logFile: join(folder.logs, `${plan.name}.log`),
      pidFile: pidFileOf(folder, plan.name),
      channel: true,
      silentMs: plan.apps.includes("edge") ? silentMs : undefined,
      isReady: (_pid, said) => plan.apps.every((app) => said.some((message) => saysStarted(message, app))),
      readyTimeoutMs: 60_000,
      stopSignal: "SIGTERM",
      stopTimeoutMs: 20_000,
    },
    options,
  );
}

/** Each of several edges has its metrics on a port of its own: that of `edge-2` is the next one. */
function withMetricsOf({ name }: AppProcess, connections: Connections): Connections {
  const [, number = "1"] = /^edge-(\d+)$/.exec(name) ?? [];
  const { metricsPort } = connections;
  return metricsPort === null ? connections : { ...connections, metricsPort: metricsPort + Number(number) - 1 };
}

function saysStarted(message: unknown, app: AppName): boolean {
  const wanted: keyof AppStarted = "started";
  return typeof message === "object" && message !== null && wanted in message && message[wanted] === app;
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

function pidFileOf(folder: DataFolder, name: string): string {
  return join(folder.run, `${name}.pid`);
}
