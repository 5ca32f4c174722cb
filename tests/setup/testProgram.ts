import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { defaultCacheFolder } from "@connect-hub/runtime";

const run = promisify(execFile);

/** A program that only tests need. */
export interface WantedProgram {
  /** Its names on PATH, best first. */
  readonly names: readonly string[];
  /** The packages of Debian's that hold its files, the program's own first; what else it needs apt knows. */
  readonly packages: readonly string[];
  /** Where it lies in them. */
  readonly binary: string;
  /** Makes it tell its version. */
  readonly versionFlag: string;
  /** The end of "Install one: …". */
  readonly install: string;
}

/** A program, and what it needs in its environment. */
export interface TestProgram {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The program on this machine, or a copy of our own beside the fetched servers. That is fetched once, as any user, by the machine's apt, which
 * checks the archive's signatures, with those of its libraries that the machine lacks; nothing of the system is touched.
 * Throws an error of one line that names the command which installs one.
 */
export async function findTestProgram(wanted: WantedProgram): Promise<TestProgram> {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  const all = wanted.names.flatMap((name) => folders.map((folder) => join(folder, name)));
  const installed = all.find((path) => existsSync(path));
  if (installed !== undefined) return { path: installed, env: {} };
  const [name = ""] = wanted.packages;
  const home = join(defaultCacheFolder(), name);
  try {
    return (await copyIn(home, wanted)) ?? (await fetchCopy(home, wanted));
  } catch (cause) {
    throw new Error(`This test needs ${wanted.names[0]}, and it could not be fetched. Install one: ${wanted.install}`, {
      cause,
    });
  }
}

async function copyIn(home: string, { binary, versionFlag }: WantedProgram): Promise<TestProgram | undefined> {
  const path = join(home, binary);
  if (!existsSync(path)) return undefined;
  const env = { LD_LIBRARY_PATH: libraryFolders(home).join(delimiter) };
  const runs = run(path, [versionFlag], { env: { ...process.env, ...env } });
  return runs.then(
    () => ({ path, env }),
    () => undefined,
  );
}

/** Some libraries lie in folders of their own, which only they know. */
function libraryFolders(home: string): readonly string[] {
  const isLibrary = (name: string) => /-linux-gnu.*\.so(\.|$)/.test(name);
  const files = ["lib", "usr/lib"].flatMap((one) => {
    const folder = join(home, one);
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  });
  return [...new Set(files.filter(isLibrary).map((path) => dirname(path)))];
}

async function fetchCopy(home: string, wanted: WantedProgram): Promise<TestProgram> {
  process.stderr.write(`Fetching ${wanted.packages[0]} …\n`);
  mkdirSync(dirname(home), { recursive: true });
  // Made under a name of its own and renamed when whole: what was killed leaves no half a copy.
  const making = `${dirname(home)}/.making-${wanted.packages[0]}-${process.pid}`;
  try {
    const root = join(making, "root");
    mkdirSync(root, { recursive: true });
    for (const deb of await download(wanted.packages, join(making, "apt"))) await run("dpkg-deb", ["-x", deb, root]);
    rmSync(home, { recursive: true, force: true });
    renameSync(root, home);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  const made = await copyIn(home, wanted);
  if (made === undefined) throw new Error(`${home}/${wanted.binary} does not run here`);
  return made;
}

async function download(packages: readonly string[], folder: string): Promise<readonly string[]> {
  const archives = join(folder, "cache/archives");
  mkdirSync(join(archives, "partial"), { recursive: true });
  mkdirSync(join(folder, "lists/partial"), { recursive: true });
  // Lists and cache of our own: the machine's may be missing, and are root's. Without the first, root could not write into our folders.
  const own = ["APT::Sandbox::User=", "Debug::NoLocking=1", `Dir::State::lists=${folder}/lists`];
  const options = [...own, `Dir::Cache=${folder}/cache`, "Acquire::Languages=none"].flatMap((one) => ["-o", one]);
  await run("apt-get", ["-qq", ...options, "update"]);
  // Reinstalled: the program's own packages come even if some of them are installed.
  const how = ["--reinstall", "--no-install-recommends", "--download-only", "--yes"];
  await run("apt-get", ["-qq", ...options, "install", ...how, ...packages]);
  return readdirSync(archives).flatMap((name) => (name.endsWith(".deb") ? [join(archives, name)] : []));
}
