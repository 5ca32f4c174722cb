import { existsSync, statfsSync } from "node:fs";
import { join } from "node:path";
import {
  type BoxServers,
  type DataFolder,
  readJsonIfThere,
  readOrMakeSecret,
  readOrMakeSigningKey,
  readOrMakeSshKey,
  writeFileAtomic,
} from "@connect-hub/runtime";
import { z } from "zod";
import type { HubConfig } from "../config.ts";
import { NotRunning } from "../exitCodes.ts";
import type { AppName } from "./appProcess.ts";
import { isSupervised, readBoxState } from "./boxState.ts";

const login = z.object({ user: z.string(), password: z.string() });

/** What a box of an earlier version left out has a default. */
const schemaIn = (dataDir: string) =>
  z.object({
    natsUrl: z.string(),
    /** Who signs in to NATS as what; an app that is missing signs in by what the environment or the URL says. */
    natsLogins: z
      .object({ hub: login, edge: login, commands: login, projector: login, placement: login, door: login })
      .partial(),
    /** How many nats-servers keep each commit. */
    natsReplicas: z.union([z.literal(1), z.literal(3)]).default(1),
    authUrl: z.string(),
    chatUrl: z.string(),
    contentUrl: z.string(),
    vaultUrl: z.string(),
    /** The file with the vault's root key. */
    vaultRoot: z.string(),
    /** The file with the key that signs the lanes' heads. */
    signingKey: z.string().default(join(dataDir, "secrets", signingKeyName)),
    valkeyUrl: z.string(),
    prefix: z.string(),
    roomLanes: z.number(),
    /** The reserve of each lane on the disk. */
    laneBytes: z.number(),
    /** Where the commits of closed epochs lie that are not in NATS any more. */
    archiveDir: z.string().default(join(dataDir, "archive")),
    host: z.string(),
    port: z.number(),
    /** The files of the edge's certificate; null: it speaks plain HTTP. */
    tls: z.object({ cert: z.string(), key: z.string() }).nullable().default(null),
    /** Where the metrics of the first edge are read; those of the next ones follow. Null: nowhere. */
    metricsPort: z.number().nullable().default(null),
    content: z.object({
      /** Where the bytes of files lie. */
      dir: z.string(),
      /** So many they may take; null: what the disk has, less `reserveBytes`, which has a default too. */
      bytes: z.number().nullable(),
      reserveBytes: z.number().nullable(),
    }),
    placement: z.object({
      /** Where it serves the bytes that nodes have. */
      url: z.string(),
      /** Who shows it may read them all. */
      secret: z.string(),
      /** The file with the box's own ssh key. */
      key: z.string(),
      /** The line that lets that key in on a node. */
      publicKey: z.string(),
    }),
  });

/** How everything of one box reaches everything else, passwords included. */
export type Connections = Readonly<z.output<ReturnType<typeof schemaIn>>>;
type WrittenConnections = Readonly<z.input<ReturnType<typeof schemaIn>>>;

/** The ports of a box's own doors. */
export interface DoorPorts {
  readonly edge: number;
  readonly placement: number;
  readonly metrics: number;
}

/** The connections of a box whose servers run. */
export function connectionsOf(
  servers: BoxServers,
  config: HubConfig,
  folder: DataFolder,
  ports: DoorPorts,
): Connections {
  return {
    natsUrl: servers.nats.url,
    natsLogins: servers.natsLogins ?? config.natsLogins,
    natsReplicas: config.natsReplicas,
    authUrl: config.urls.auth ?? servers.postgres.url,
    chatUrl: config.urls.chat ?? servers.postgres.url,
    contentUrl: config.urls.content ?? servers.postgres.url,
    vaultUrl: config.urls.vault ?? servers.postgres.url,
    vaultRoot: config.vaultRoot ?? join(folder.secrets, "vault-root"),
    signingKey: signingKeyIn(config, folder),
    valkeyUrl: servers.valkey.url,
    prefix: config.prefix,
    roomLanes: config.roomLanes,
    laneBytes: config.laneBytes ?? laneBytesFor(servers.nats.dataFolder, config.roomLanes + 2),
    archiveDir: config.archiveDir ?? join(folder.path, "archive"),
    host: config.host,
    port: ports.edge,
    tls: config.tls ?? null,
    metricsPort: ports.metrics,
    content: {
      dir: config.content.dir ?? join(folder.path, "content"),
      bytes: config.content.bytes ?? null,
      reserveBytes: config.content.reserveBytes ?? null,
    },
    placement: {
      url: `http://127.0.0.1:${ports.placement}`,
      secret: readOrMakeSecret(folder, "placement"),
      key: join(folder.secrets, sshKeyName),
      publicKey: readOrMakeSshKey(folder, sshKeyName).publicKey,
    },
  };
}

const sshKeyName = "placement-ssh-key";
const signingKeyName = "signing-key";

/** The path of the box's signing key, which is made at the first start. */
function signingKeyIn(config: HubConfig, folder: DataFolder): string {
  const path = config.signingKey ?? join(folder.secrets, signingKeyName);
  readOrMakeSigningKey(path);
  return path;
}

// At most half of what the disk has free, for all lanes together, so that the databases don't starve beside a full log.
function laneBytesFor(dataFolder: string | undefined, lanes: number): number {
  const most = 16 * gigabyte;
  if (dataFolder === undefined) return most;
  const { bavail, bsize } = statfsSync(dataFolder);
  return Math.max(gigabyte / 4, Math.min(most, Math.floor((bavail * bsize) / 2 / lanes)));
}

const gigabyte = 1024 ** 3;

/** Leaves the connections for the other commands of `hub`; only the owner of the data folder can read them. */
export function writeConnections(dataDir: string, connections: WrittenConnections): void {
  writeFileAtomic(pathOf(dataDir), `${JSON.stringify(connections, undefined, 2)}\n`, 0o600);
}

/** The connections of the box that was last started on a data folder. Throws `NotRunning` when there was none yet. */
export function readConnections(dataDir: string): Connections {
  const parsed = schemaIn(dataDir).safeParse(readJsonIfThere(pathOf(dataDir)));
  if (parsed.success) return parsed.data;
  const what = existsSync(dataDir) ? "has not been started" : "does not exist";
  throw new NotRunning(`The box in ${dataDir} ${what}. Start it by: npm run hub -- up`);
}

/**
 * The connections of a box that runs: what a command needs that asks its servers. One whose servers all run elsewhere can be asked
 * while it is down. Throws `NotRunning`.
 */
export function connectionsOfRunning(dataDir: string): Connections {
  const connections = readConnections(dataDir);
  const state = readBoxState(dataDir);
  const hasOwnServers = state?.servers.some(({ source }) => source !== "url") === true;
  if (state !== undefined && hasOwnServers && !isSupervised(state))
    throw new NotRunning(`The box in ${dataDir} isn't running. Start it by: npm run hub -- up`);
  return connections;
}

/** What the apps of one process find in their environment, besides what this process has in its own. */
export function appEnvironment(
  apps: readonly AppName[],
  connections: Connections,
  dataDir: string,
): Readonly<Record<string, string>> {
  const logins = apps.flatMap((app) => {
    const found = connections.natsLogins[app];
    if (found === undefined) return [];
    // Several apps in one process have users of their own: appEnv() of the runtime picks each one's.
    const prefixes = apps.length === 1 ? ["HUB", `HUB_${app.toUpperCase()}`] : [`HUB_${app.toUpperCase()}`];
    return prefixes.flatMap((prefix) => [
      [`${prefix}_NATS_USER`, found.user],
      [`${prefix}_NATS_PASSWORD`, found.password],
    ]);
  });
  return {
    ...Object.fromEntries(logins),
    HUB_DATA: dataDir,
    HUB_HOST: connections.host,
    HUB_PORT: String(connections.port),
    HUB_TLS_CERT: connections.tls?.cert ?? "",
    HUB_TLS_KEY: connections.tls?.key ?? "",
    HUB_PREFIX: connections.prefix,
    HUB_ROOM_LANES: String(connections.roomLanes),
    HUB_NATS_URL: connections.natsUrl,
    HUB_ARCHIVE_DIR: connections.archiveDir,
    HUB_AUTH_URL: connections.authUrl,
    HUB_CHAT_URL: connections.chatUrl,
    HUB_CONTENT_URL: connections.contentUrl,
    HUB_VAULT_URL: connections.vaultUrl,
    HUB_VAULT_ROOT: connections.vaultRoot,
    HUB_VALKEY_URL: connections.valkeyUrl,
    ...(apps.includes("commands") && { HUB_SIGNING_KEY: connections.signingKey }),
    ...(apps.includes("edge") &&
      connections.metricsPort !== null && { HUB_METRICS_PORT: String(connections.metricsPort) }),
    ...contentEnvironment(apps, connections),
  };
}

function contentEnvironment(apps: readonly AppName[], { content, placement }: Connections): Record<string, string> {
  const { dir, bytes, reserveBytes } = content;
  return {
    HUB_CONTENT_DIR: dir,
    ...(bytes !== null && { HUB_CONTENT_BYTES: String(bytes) }),
    ...(reserveBytes !== null && { HUB_CONTENT_RESERVE_BYTES: String(reserveBytes) }),
    ...((apps.includes("edge") || apps.includes("placement")) && {
      HUB_PLACEMENT_URL: placement.url,
      HUB_PLACEMENT_SECRET: placement.secret,
    }),
    ...(apps.includes("placement") && {
      HUB_PLACEMENT_PORT: new URL(placement.url).port,
      HUB_PLACEMENT_KEY: placement.key,
    }),
  };
}

function pathOf(dataDir: string): string {
  return join(dataDir, "run/connections.json");
}
