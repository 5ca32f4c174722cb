import { lstatSync, mkdirSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ask } from "./ask.ts";
import { readOrMakeSecret } from "./dataFolder.ts";
import { remove, writeFileAtomic } from "./files.ts";
import type { Launch, LaunchOptions, NatsCluster, Recipe } from "./recipe.ts";

/** The users that the top-level `nats.conf` knows, each with the rights that it lists there. */
export const natsUsers = ["hub", "edge", "commands", "projector", "placement"] as const;

/** A user of the top-level `nats.conf`. */
export type NatsUser = (typeof natsUsers)[number];

/** How a user signs in to NATS. */
export interface NatsLogin {
  readonly user: string;
  readonly password: string;
}

/** The top-level configuration of this checkout. */
export const natsConfiguration = fileURLToPath(new URL("../../nats.conf", import.meta.url));

/** nats-server by the top-level `nats.conf`, with the users of the apps. */
export const natsRecipe: Recipe = {
  kind: "nats",
  async prepare({ folder, port, cluster }: LaunchOptions): Promise<Launch> {
    const dataFolder = join(folder.path, "nats");
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    const logins = natsLogins(folder);
    const passwords = natsUsers.map((user) => `HUB_PASSWORD_${user.toUpperCase()}: "${logins[user].password}"`);
    const settings = [
      `HUB_NAME: "${cluster?.serverName ?? "hub"}"`,
      `HUB_HOST: "127.0.0.1"`,
      `HUB_PORT: ${port}`,
      `HUB_STORE: "${dataFolder}"`,
      ...passwords,
      ...clusterLines(cluster),
    ];
    writeFileAtomic(join(dataFolder, "generated.conf"), `${settings.join("\n")}\n`);
    // An include is looked for beside the path that nats-server is given, so a link puts the top-level file beside ours.
    const link = join(dataFolder, "nats.conf");
    if (!pointsTo(link, natsConfiguration)) {
      remove(link);
      symlinkSync(natsConfiguration, link);
    }
    return natsLaunch(link, dataFolder, port);
  },
};

/** nats-server without users, for tests that need the log and nobody's rights. */
export const openNatsRecipe: Recipe = {
  kind: "nats",
  async prepare({ folder, port, cluster }: LaunchOptions): Promise<Launch> {
    const dataFolder = join(folder.path, "nats");
    const configuration = join(dataFolder, "open.conf");
    const settings = [
      ...(cluster === undefined ? [] : [`server_name: "${cluster.serverName}"`]),
      `host: "127.0.0.1"`,
      `port: ${port}`,
      `jetstream { store_dir: "${dataFolder}", sync_interval: always }`,
      ...clusterLines(cluster),
    ];
    writeFileAtomic(configuration, `${settings.join("\n")}\n`);
    return natsLaunch(configuration, dataFolder, port);
  },
};

/** The logins of all users, from the data folder's secrets. */
export function natsLogins(folder: LaunchOptions["folder"]): Readonly<Record<NatsUser, NatsLogin>> {
  const login = (user: NatsUser): NatsLogin => ({ user, password: readOrMakeSecret(folder, `nats-${user}`) });
  return Object.fromEntries(natsUsers.map((user) => [user, login(user)])) as Record<NatsUser, NatsLogin>;
}

/** Of a server that is one of several. */
function clusterLines(cluster: NatsCluster | undefined): readonly string[] {
  if (cluster === undefined) return [];
  const routes = cluster.peers.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  return [`cluster { name: hub, host: "127.0.0.1", port: ${cluster.port}, routes: [${routes}] }`];
}

function natsLaunch(configuration: string, dataFolder: string, port: number): Launch {
  return {
    args: ["-c", configuration],
    env: {},
    url: `nats://127.0.0.1:${port}`,
    dataFolder,
    stopSignal: "SIGTERM",
    stopTimeoutMs: 15_000,
    // Its first line of talk comes when streams are recovered and clients are let in.
    isReady: async () => /^INFO .*"jetstream":true/.test(await ask({ host: "127.0.0.1", port }, "", hasLine)),
  };
}

const hasLine = (answer: string): boolean => answer.includes("\r\n");

function pointsTo(link: string, target: string): boolean {
  return lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true && readlinkSync(link) === target;
}
