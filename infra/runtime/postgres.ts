import { chownSync, existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { reachableHome, unprivilegedAccount } from "./account.ts";
import { type DataFolder, readOrMakeSecret } from "./dataFolder.ts";
import { RuntimeError } from "./errors.ts";
import { readTextIfThere, remove } from "./files.ts";
import type { Launch, LaunchOptions, Recipe } from "./recipe.ts";
import { run } from "./run.ts";
import type { Account } from "./serverProgram.ts";

/** The role that owns everything in the box's PostgreSQL, and the database of that name. */
const postgresOwner = "hub";

/** PostgreSQL on the loopback address alone, with fsync, tuned for a small machine. */
export const postgresRecipe: Recipe = {
  kind: "postgres",
  async prepare(options: LaunchOptions): Promise<Launch> {
    const { folder, port, account } = options;
    const home = await reachableHome(folder, "postgres", account);
    const dataFolder = join(home, "data");
    const password = readOrMakeSecret(folder, "postgres");
    if (!existsSync(dataFolder)) await makeCluster(options, home, password);
    return {
      args: ["-D", dataFolder, ...settings(port)],
      env: { LC_ALL: "C" },
      url: `postgresql://${postgresOwner}:${password}@127.0.0.1:${port}/${postgresOwner}`,
      dataFolder,
      // "Fast": cuts the sessions off and writes a checkpoint.
      stopSignal: "SIGINT",
      stopTimeoutMs: 20_000,
      isReady: (pid) => saysReady(dataFolder, pid),
    };
  },
};

/** The major version that made the folder's databases; `undefined` when there are none yet. */
export function postgresMajorOf(folder: DataFolder): string | undefined {
  return readTextIfThere(join(folder.path, "postgres/data/PG_VERSION"))?.trim();
}

/**
 * The account that PostgreSQL runs as when this process is root: the owner of the databases that are there, else the usual
 * accounts. `undefined` when this process isn't root: then as itself.
 */
export function postgresAccount(folder: DataFolder): Promise<Account | undefined> {
  return unprivilegedAccount(
    join(folder.path, "postgres/data"),
    ["postgres", "nobody"],
    "PostgreSQL refuses to run as root, and there is no account postgres or nobody. Run as an ordinary user, or set HUB_POSTGRES_URL.",
  );
}

// Under another name and renamed when whole, so that a kill in the middle leaves nothing that looks like databases.
async function makeCluster(options: LaunchOptions, home: string, password: string): Promise<void> {
  const { program, account, onProgress } = options;
  onProgress("Making the databases …");
  const making = join(home, "data.new");
  remove(making);
  const passwordFile = join(home, "password.new");
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
  const how = { cwd: "/", env: { PATH: process.env.PATH ?? "", LC_ALL: "C" }, ...account };
  try {
    const common = ["-D", making, "-U", postgresOwner, `--pwfile=${passwordFile}`, "-A", "scram-sha-256", "-E", "UTF8"];
    await run(join(dirname(program.binary), "initdb"), [...common, ...localeOf(program.version)], how);
    const single = ["--single", "-D", making, "template1"];
    await run(program.binary, single, { ...how, input: `create database ${postgresOwner};\n` });
  } catch (cause) {
    throw new RuntimeError("ServerFailed", `PostgreSQL's folder could not be made in ${home}.`, cause);
  } finally {
    remove(passwordFile);
  }
  await run("mv", [making, join(home, "data")]);
}

// The built-in provider orders and folds Unicode the same on every machine; PostgreSQL 16 doesn't have it yet.
function localeOf(version: string): readonly string[] {
  return Number(version.split(".")[0]) >= 17
    ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    : ["--no-locale"];
}

function settings(port: number): readonly string[] {
  const values: Readonly<Record<string, string>> = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "200",
    shared_buffers: "128MB",
    effective_cache_size: "1GB",
    // What projectors write goes on to the disk beside them: they would wait for it.
    wal_buffers: "16MB",
    bgwriter_delay: "50ms",
    bgwriter_lru_maxpages: "1000",
    // It took a quarter of a projector's time in Postgres after each checkpoint.
    wal_compression: "off",
    max_wal_size: "2GB",
    checkpoint_timeout: "15min",
    random_page_cost: "1.1",
    jit: "off",
    fsync: "on",
    synchronous_commit: "on",
    timezone: "UTC",
    log_timezone: "UTC",
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

// The postmaster writes its state into the eighth line of this file; pg_ctl waits by it too.
function saysReady(dataFolder: string, pid: number): boolean {
  const lines = readTextIfThere(join(dataFolder, "postmaster.pid"))?.split("\n") ?? [];
  return lines[0] === String(pid) && lines[7]?.trim() === "ready";
}
