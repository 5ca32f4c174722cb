import { resolve } from "node:path";
import { checkout, type NatsLogin, type NatsUser } from "@connect-hub/runtime";
import { BadSetting, readSettings, tlsFilesIn, tlsSettings } from "@connect-hub/runtime/settings";
import { z } from "zod";
import { type AppProcess, appNames, parseProcesses, withEdges } from "./box/appProcess.ts";
import { typed } from "./typed.ts";

const port = z.coerce.number().int().min(0).max(65_535);
const text = z.string().optional();

const schema = z.object({
  /** The folder that holds all data; relative to the checkout. */
  HUB_DATA: text,
  /** Where the edge listens; any address but the loopback one is reachable from outside. */
  HUB_HOST: z.string().default("127.0.0.1"),
  HUB_PORT: port.default(7750),
  /** With both, the edge speaks TLS; relative to the checkout. */
  ...tlsSettings,
  HUB_NATS_PORT: port.default(7751),
  HUB_POSTGRES_PORT: port.default(7752),
  HUB_VALKEY_PORT: port.default(7753),
  /** Where placement serves the bytes that nodes have, on the loopback address; default: 7754, or a free one as HUB_PORT is. */
  HUB_PLACEMENT_PORT: port.optional(),
  /** Where the first edge's metrics are read; default: 7755, or a free one as HUB_PORT is. */
  HUB_METRICS_PORT: port.optional(),
  /** Servers that run already; nothing is started for these. */
  /** Several nats-servers of one cluster are separated by commas. */
  HUB_NATS_URL: text,
  HUB_NATS_USER: text,
  HUB_NATS_PASSWORD: text,
  /** How many nats-servers keep each commit: 1, or 3 in a cluster. */
  HUB_NATS_REPLICAS: z.enum(["1", "3"], "must be 1 or 3").default("1"),
  HUB_POSTGRES_URL: text,
  HUB_VALKEY_URL: text,
  /** Each schema may be a database of its own; default: the PostgreSQL above. */
  HUB_AUTH_URL: text,
  HUB_CHAT_URL: text,
  HUB_CONTENT_URL: text,
  HUB_VAULT_URL: text,
  /** The file with the vault's root key; made when it is missing. */
  HUB_VAULT_ROOT: text,
  /** The file with the key that signs the lanes' heads; made when it is missing. */
  HUB_SIGNING_KEY: text,
  /** `private` ignores what is installed on the machine. */
  HUB_SERVERS: z.enum(["any", "private"]).default("any"),
  HUB_CACHE: text,
  /** Stands before all names in NATS. */
  HUB_PREFIX: z.string().default(""),
  /** How many edges serve on the port; more than one are processes of their own. */
  HUB_EDGES: z.coerce.number().int().min(1).max(64).default(1),
  HUB_PROCESSES: z.string().default("edge+commands,projector,placement"),
  /** The folder of the bytes of files; default: in the data folder. */
  HUB_CONTENT_DIR: text,
  /** So many bytes they may take there; default: what the disk has, less a reserve. */
  HUB_CONTENT_BYTES: z.coerce.number().int().min(1).optional(),
  /** The reserve; default: 20 % of the disk, at most 20 GiB. */
  HUB_CONTENT_RESERVE_BYTES: z.coerce.number().int().min(0).optional(),
  /** The reserve of each lane of the log on the disk, in bytes; default: 16 GiB, or less on a small disk. Fixed when it is made. */
  HUB_LANE_BYTES: z.coerce.number().int().min(1_000_000).optional(),
  /** The folder of the log's closed epochs; default: in the data folder. */
  HUB_ARCHIVE_DIR: text,
  /** Into how many lanes rooms are divided; fixed when the log is made. */
  HUB_ROOM_LANES: z.coerce.number().int().min(1).max(256).default(1),
});

/** Everything that `hub` is told from outside. */
export interface HubConfig {
  /** Absolute. */
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  /** Absolute; undefined: the edge speaks plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly ports: { readonly nats: number; readonly postgres: number; readonly valkey: number };
  /** 0 for a free one. */
  readonly placementPort: number;
  /** 0 for a free one. */
  readonly metricsPort: number;
  readonly urls: {
    readonly nats: string | undefined;
    readonly postgres: string | undefined;
    readonly valkey: string | undefined;
    readonly auth: string | undefined;
    readonly chat: string | undefined;
    readonly content: string | undefined;
    readonly vault: string | undefined;
  };
  /** Who signs in to a NATS by URL as what; an app that is missing signs in by what its environment or the URL says. */
  readonly natsLogins: Readonly<Partial<Record<NatsUser, NatsLogin>>>;
  readonly natsReplicas: 1 | 3;
  readonly vaultRoot: string | undefined;
  readonly signingKey: string | undefined;
  readonly privateOnly: boolean;
  readonly cacheFolder: string | undefined;
  readonly prefix: string;
  readonly processes: readonly AppProcess[];
  readonly roomLanes: number;
  readonly laneBytes: number | undefined;
  /** Absolute; undefined: in the data folder. */
  readonly archiveDir: string | undefined;
  readonly content: {
    /** Absolute; undefined: in the data folder. */
    readonly dir: string | undefined;
    readonly bytes: number | undefined;
    readonly reserveBytes: number | undefined;
  };
}

/** Reads the settings from the environment; `data` is the command line's and wins. Throws `BadSetting`. */
export function readConfig(env: NodeJS.ProcessEnv, data?: string): HubConfig {
  const it = readSettings("the hub", schema, env);
  const folder = data ?? it.HUB_DATA ?? ".hub";
  return {
    // A folder on the command line is meant from where it was typed, one in the environment or by default from the checkout.
    dataDir: data === undefined ? resolve(checkout, folder) : typed(data, env),
    host: it.HUB_HOST,
    port: it.HUB_PORT,
    tls: absolute(tlsFilesIn(it)),
    ports: { nats: it.HUB_NATS_PORT, postgres: it.HUB_POSTGRES_PORT, valkey: it.HUB_VALKEY_PORT },
    placementPort: it.HUB_PLACEMENT_PORT ?? (it.HUB_PORT === 0 ? 0 : 7754),
    metricsPort: it.HUB_METRICS_PORT ?? (it.HUB_PORT === 0 ? 0 : 7755),
    urls: {
      nats: it.HUB_NATS_URL,
      postgres: it.HUB_POSTGRES_URL,
      valkey: it.HUB_VALKEY_URL,
      auth: it.HUB_AUTH_URL,
      chat: it.HUB_CHAT_URL,
      content: it.HUB_CONTENT_URL,
      vault: it.HUB_VAULT_URL,
    },
    natsLogins: loginsIn(env),
    natsReplicas: replicasOf(it.HUB_NATS_REPLICAS, it.HUB_NATS_URL),
    vaultRoot: it.HUB_VAULT_ROOT,
    signingKey: it.HUB_SIGNING_KEY,
    privateOnly: it.HUB_SERVERS === "private",
    cacheFolder: it.HUB_CACHE,
    prefix: it.HUB_PREFIX,
    processes: withEdges(processesOf(it.HUB_PROCESSES), it.HUB_EDGES),
    roomLanes: it.HUB_ROOM_LANES,
    laneBytes: it.HUB_LANE_BYTES,
    archiveDir: it.HUB_ARCHIVE_DIR === undefined ? undefined : resolve(checkout, it.HUB_ARCHIVE_DIR),
    content: {
      dir: it.HUB_CONTENT_DIR === undefined ? undefined : resolve(checkout, it.HUB_CONTENT_DIR),
      bytes: it.HUB_CONTENT_BYTES,
      reserveBytes: it.HUB_CONTENT_RESERVE_BYTES,
    },
  };
}

function absolute(files: HubConfig["tls"]): HubConfig["tls"] {
  return files && { cert: resolve(checkout, files.cert), key: resolve(checkout, files.key) };
}

/** `HUB_NATS_USER` is the operator's; that of an app has its name in it, such as `HUB_EDGE_NATS_USER`. */
function loginsIn(env: NodeJS.ProcessEnv): HubConfig["natsLogins"] {
  const logins = (["hub", ...appNames] as const).flatMap((user) => {
    const prefix = user === "hub" ? "HUB" : `HUB_${user.toUpperCase()}`;
    const name = env[`${prefix}_NATS_USER`] ?? "";
    return name === "" ? [] : [[user, { user: name, password: env[`${prefix}_NATS_PASSWORD`] ?? "" }]];
  });
  return Object.fromEntries(logins);
}

function replicasOf(value: "1" | "3", url: string | undefined): 1 | 3 {
  if (value === "1") return 1;
  if (url !== undefined) return 3;
  throw new BadSetting(
    "HUB_NATS_REPLICAS=3 needs three nats-servers, and the box starts one: name yours by HUB_NATS_URL=nats://a:4222,nats://b:4222,nats://c:4222.",
  );
}

function processesOf(value: string): readonly AppProcess[] {
  const processes = parseProcesses(value);
  if (typeof processes === "string") throw new BadSetting(`HUB_PROCESSES="${value}" can't be used: ${processes}`);
  return processes;
}
