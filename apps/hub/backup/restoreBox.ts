import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { LaneId } from "@connect-hub/domain/values";
import { type DataFolder, openDataFolder, ownerOf, startServers } from "@connect-hub/runtime";
import { BadSetting } from "@connect-hub/runtime/settings";
import { doorPorts, endLeftoverApps, startAppProcesses } from "../box/appProcesses.ts";
import { type Connections, connectionsOf, writeConnections } from "../box/connections.ts";
import { lanesOf, makeSchemas } from "../box/migrate.ts";
import { serversOptions } from "../box/serveBox.ts";
import { stopBox } from "../box/stopBox.ts";
import { catchUpProblem, waitCaughtUp } from "../catchUp.ts";
import type { CommandContext } from "../cli.ts";
import { digestNow } from "../commands/digest.ts";
import { startDetached } from "../commands/up.ts";
import type { HubConfig } from "../config.ts";
import { inBytes } from "../inBytes.ts";
import { withLanesOf } from "../lanes.ts";
import { withTablesOf } from "../readTables.ts";
import { withRestoreTarget } from "./boxParts.ts";
import type { CheckedBackup } from "./checkBackup.ts";
import { RestoreFailed } from "./errors.ts";
import { type RestoreStep, restoreBackup } from "./restoreBackup.ts";
import { type RestoreMarker, readRestoreMarker, removeRestoreMarker, writeRestoreMarker } from "./restoreMarker.ts";
import type { BackupProgress } from "./takeBackup.ts";

export interface RestoreBoxOptions extends BackupProgress {
  /** Whether data may be replaced. */
  readonly yes: boolean;
  say(message: string): void;
}

/** What came of a restore. */
export interface RestoredBox {
  readonly dataFolder: string;
  /** When the backup was taken. */
  readonly createdAt: string;
  readonly lanes: readonly { readonly lane: LaneId; readonly n: number; readonly epoch: string }[];
  /** What `hub digest` says of the filled tables; null when they are not filled yet. */
  readonly digest: string | null;
  /** Where it serves again; null when it did not run before. */
  readonly address: string | null;
  /** Of the start; 0 when it serves, or was not started. */
  readonly exitCode: number;
}

/**
 * Makes the box of the settings what a checked backup says: stops it if it runs, starts the servers alone, replaces log, keys and
 * bytes, has the tables filled from the log, and starts the box again if it ran. Throws `RestoreFailed`, `BadSetting`, and what was
 * in the way; while that leaves a half behind, the data folder is marked, and nothing is served from it.
 */
export async function restoreBox(
  backup: CheckedBackup,
  context: CommandContext,
  options: RestoreBoxOptions,
): Promise<RestoredBox> {
  const config = context.config();
  const { say } = options;
  assertFits(backup, config);
  const folder = openDataFolder(config.dataDir);
  const wasBegun = readRestoreMarker(folder.path) !== undefined;
  const hadData = wasBegun || existsSync(join(folder.path, "run/connections.json"));
  if (hadData && !options.yes) throw new RestoreFailed(replacing(folder, backup));
  await assertRoom(backup, folder);
  const ran = ownerOf(folder) !== undefined;
  const marker = writeRestoreMarker(folder.path, backup, lanesOf(config.roomLanes));
  if (ran) say("Stopping the box …");
  const stopped = await stopBox(folder);
  if (stopped.outcome === "stuck") {
    if (!wasBegun) removeRestoreMarker(folder.path);
    throw new RestoreFailed(`Process ${stopped.pid} does not stop, so nothing was restored; see ${folder.logs}.`);
  }
  const digest = await withServersAlone(config, folder, options, async (connections) => {
    await replaceAll(backup, { connections, marker, folder, wasBegun }, options);
    return fillTables({ connections, folder }, options);
  });
  const lanes = backup.manifest.lanes.map(({ lane, n }) => ({ lane, n, epoch: marker.epochs[lane] ?? "" }));
  const { createdAt } = backup.manifest;
  const restored = { dataFolder: folder.path, createdAt, lanes, digest, address: null, exitCode: 0 };
  if (!ran) return restored;
  say("Starting the box again …");
  const state = await startDetached(folder.path, join(folder.logs, "hub.log"));
  return typeof state === "number" ? { ...restored, exitCode: state } : { ...restored, address: state.address };
}

function assertFits({ manifest }: CheckedBackup, config: HubConfig): void {
  const { roomLanes } = manifest.configuration;
  if (roomLanes !== config.roomLanes) {
    throw new BadSetting(
      `The backup has ${roomLanes} room lane(s), this box is set to ${config.roomLanes}: set HUB_ROOM_LANES=${roomLanes}, now and for every start.`,
    );
  }
  const known = lanesOf(config.roomLanes);
  const unknown = manifest.lanes.find(({ lane }) => !known.includes(lane));
  if (unknown !== undefined) throw new RestoreFailed(`This version knows no lane ${unknown.lane}; use a newer one.`);
}

/** What is replaced stays until the end, so what comes needs room beside it. */
async function assertRoom({ manifest }: CheckedBackup, folder: DataFolder): Promise<void> {
  const neededBytes = manifest.files.reduce((sum, { size }) => sum + size, spareBytes);
  const { bavail, bsize } = await statfs(folder.path);
  if (bavail * bsize >= neededBytes) return;
  throw new RestoreFailed(
    `The backup takes ${inBytes(neededBytes)} beside what is there, but ${folder.path} has ${inBytes(bavail * bsize)} free. Nothing was changed.`,
  );
}

function replacing(folder: DataFolder, { manifest }: CheckedBackup): string {
  return `There is a box in ${folder.path}. All that it has would be replaced by the backup of ${manifest.createdAt}, and what came later would be gone. Say so by: --yes`;
}

async function withServersAlone<T>(
  config: HubConfig,
  folder: DataFolder,
  { say, signal }: RestoreBoxOptions,
  work: (connections: Connections) => Promise<T>,
): Promise<T> {
  await endLeftoverApps(config.processes, folder);
  say("Starting the servers …");
  const ports = await doorPorts(config);
  const servers = await startServers({ ...serversOptions(config), onProgress: say, signal });
  try {
    const connections = connectionsOf(servers, config, folder, ports);
    writeConnections(folder.path, connections);
    return await work(connections);
  } finally {
    await servers.close();
  }
}

async function replaceAll(
  backup: CheckedBackup,
  { connections, marker, folder, wasBegun }: Parts & { readonly marker: RestoreMarker; readonly wasBegun: boolean },
  options: RestoreBoxOptions,
): Promise<void> {
  let reached: RestoreStep | undefined;
  const step = (name: RestoreStep): void => {
    reached = name;
  };
  try {
    options.say("Restoring …");
    await makeSchemas(connections);
    await withRestoreTarget(connections, (target) =>
      restoreBackup(backup, target, marker.epochs, { ...options, step }),
    );
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const isUntouched =
      !wasBegun && (reached === undefined || reached === "fill lanes" || reached === "put bytes back");
    if (isUntouched) removeRestoreMarker(folder.path);
    const what = isUntouched ? "The box is as it was" : "It is half done, so nothing is served: do it again";
    throw new RestoreFailed(`The restore broke off. ${what}. ${why}`, { cause: error });
  }
  removeRestoreMarker(folder.path);
}

interface Parts {
  readonly connections: Connections;
  readonly folder: DataFolder;
}

/**
 * Lets the projector alone fill the tables: writers and edges would keep in memory whatever is not in them yet. The digest of what
 * is in them then, or null when it took too long.
 */
async function fillTables(
  { connections, folder }: Parts,
  { say, onProgress, signal }: RestoreBoxOptions,
): Promise<string | null> {
  say("Filling the tables …");
  const projector = { name: "projector", apps: ["projector"] as const };
  const apps = await startAppProcesses({
    processes: [projector],
    connections,
    folder,
    onChange: () => {},
    signal,
  });
  let digest: string | null = null;
  const onLook = (done: number, total: number) => onProgress?.("commits in the tables", done, total);
  try {
    await withTablesOf(connections, (tables) =>
      withLanesOf(connections, async (lanes) => {
        const result = await waitCaughtUp({ tables, lanes, timeoutMs: fillTimeoutMs, signal, onLook });
        // What is missing is filled when the box is started.
        if (result.outcome !== "caughtUp") say(catchUpProblem(result));
        else digest = (await digestNow(tables)).digest;
      }),
    );
  } finally {
    await apps.close();
  }
  return digest;
}

const spareBytes = 64 * 1024 * 1024;
const fillTimeoutMs = 6 * 60 * 60_000;
