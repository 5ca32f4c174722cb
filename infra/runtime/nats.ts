import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "./ask.ts";
import { checkout } from "./bundle.ts";
import { type DataFolder, readOrMakeSecret } from "./dataFolder.ts";
import { writeFileAtomic } from "./files.ts";
import { readServices, servicesInConfiguration } from "./natsServices.ts";
import { readIdentity } from "./pidFile.ts";
import { isRunning } from "./processIdentity.ts";
import type { Launch, LaunchOptions, NatsCluster, Recipe } from "./recipe.ts";

/** The users that the top-level `nats.conf` knows, each with the rights that it lists there. */
export const natsUsers = ["hub", "edge", "commands", "projector", "placement", "door"] as const;

/** A user of the top-level `nats.conf`. */
export type NatsUser = (typeof natsUsers)[number];

/** How a user signs in to NATS. */
export interface NatsLogin {
  readonly user: string;
  readonly password: string;
}

/** The top-level configuration of this checkout. */
export const natsConfiguration = join(checkout, "nats.conf");

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
    return natsLaunch(writeNatsConfiguration(folder), dataFolder, port);
  },
};

/**
 * Writes what nats-server is started with, beside `generated.conf`: the top-level file, with the users of the box's services in
 * the marked place. Its path.
 */
function writeNatsConfiguration(folder: DataFolder): string {
  const path = join(folder.path, "nats/nats.conf");
  writeFileAtomic(path, servicesInConfiguration(readFileSync(natsConfiguration, "utf8"), readServices(folder), folder));
  return path;
}

/**
 * Has the running nats-server of a box read its configuration anew: services that were added can sign in, those that were removed are
 * cut off, everybody else goes on undisturbed. False when none runs. It takes a moment: try the login.
 */
export function reloadNats(folder: DataFolder): boolean {
  writeNatsConfiguration(folder);
  const identity = readIdentity(join(folder.run, "nats.pid"));
  if (identity === undefined || !isRunning(identity)) return false;
  process.kill(identity.pid, "SIGHUP");
  return true;
}

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
      // Many tests set room aside in one server, and use little of it: no disk has to be so large.
      `jetstream { store_dir: "${dataFolder}", sync_interval: always, max_file_store: 4TB }`,
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
