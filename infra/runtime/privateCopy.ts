import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { aptMirrors, fetchFromSuite, fetchPinned, hasApt, isUbuntu, type Mirror, unpack } from "./aptArchive.ts";
import { RuntimeError } from "./errors.ts";
import { remove } from "./files.ts";
import { natsPackages, opensshPackages, type PackageSet, redisPackages } from "./pinnedPackages.ts";
import { run } from "./run.ts";
import type { ProgramKind } from "./serverKinds.ts";
import { askVersion, isGoodEnough, type ServerProgram } from "./serverProgram.ts";

/** Told what is being done while it takes long; one line of text. */
export type OnProgress = (message: string) => void;

const packageSets: Readonly<Record<Exclude<ProgramKind, "postgres">, PackageSet>> = {
  nats: natsPackages,
  valkey: redisPackages,
  sshd: opensshPackages,
};

/** The folder that keeps fetched servers for all data folders of this user: `HUB_CACHE`, or `~/.cache/connect-hub`. */
export function defaultCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.HUB_CACHE ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "connect-hub");
}

/**
 * A copy of nats-server, Redis or OpenSSH of our own: the cached one, without asking the network, or one fetched by the machine's own apt
 * configuration into the cache. Nothing of the system is touched. Throws `FetchFailed`.
 */
export async function privateCopy(
  kind: Exclude<ProgramKind, "postgres">,
  cacheFolder: string,
  onProgress: OnProgress,
  packages: PackageSet = packageSets[kind],
): Promise<ServerProgram> {
  const cached = await cachedCopy(kind, packages, cacheFolder);
  if (cached !== undefined) return cached;
  if (!hasApt()) throw new RuntimeError("FetchFailed", "This machine has no apt to fetch packages with.");
  onProgress(`Fetching ${packages.names[0]} …`);
  mkdirSync(cacheFolder, { recursive: true });
  // Made under a name of its own and renamed when whole: a killed or a second fetch can't leave half a copy.
  const making = join(cacheFolder, `.making-${kind}-${process.pid}-${performance.now().toFixed(0)}`);
  try {
    await fetchInto(kind, packages, making, onProgress);
    const made = await programIn(kind, packages, join(making, "root"));
    if (made === undefined)
      throw new RuntimeError("FetchFailed", `The fetched ${packages.names[0]} does not run here.`);
    const home = join(cacheFolder, `${kind}-${made.version}`);
    // Another process may have been quicker.
    const others = await cachedCopy(kind, packages, cacheFolder);
    if (others !== undefined) return others;
    remove(home);
    renameSync(join(making, "root"), home);
    const placed = await programIn(kind, packages, home);
    if (placed === undefined) throw new RuntimeError("FetchFailed", `${home} was changed while it was made.`);
    onProgress(`Fetched ${packages.names[0]} ${placed.version}.`);
    return placed;
  } finally {
    remove(making);
  }
}

async function cachedCopy(
  kind: ProgramKind,
  packages: PackageSet,
  cacheFolder: string,
): Promise<ServerProgram | undefined> {
  if (!existsSync(cacheFolder)) return undefined;
  for (const name of readdirSync(cacheFolder)) {
    if (!name.startsWith(`${kind}-`)) continue;
    const program = await programIn(kind, packages, join(cacheFolder, name));
    if (program !== undefined) return program;
  }
  return undefined;
}

async function programIn(kind: ProgramKind, packages: PackageSet, root: string): Promise<ServerProgram | undefined> {
  const binary = join(root, packages.binary);
  const libraries = join(root, "usr/lib");
  const folders = existsSync(libraries)
    ? readdirSync(libraries).flatMap((name) => (name.endsWith("-linux-gnu") ? [join(libraries, name)] : []))
    : [];
  const env: Readonly<Record<string, string>> = folders.length > 0 ? { LD_LIBRARY_PATH: folders.join(":") } : {};
  const version = await askVersion(kind, binary, env);
  if (version === undefined || !isGoodEnough(kind, version)) return undefined;
  return { kind, source: "private", version, binary, env };
}

async function fetchInto(
  kind: ProgramKind,
  packages: PackageSet,
  making: string,
  onProgress: OnProgress,
): Promise<void> {
  const root = join(making, "root");
  let firstError: unknown;
  // Unpacks what `fetch` brings, and says whether it runs here.
  const works = async (fetch: () => Promise<readonly string[]>): Promise<boolean> => {
    remove(root);
    try {
      await unpack(await fetch(), root);
      return (await programIn(kind, packages, root)) !== undefined;
    } catch (error) {
      firstError ??= error;
      return false;
    }
  };
  const { stdout } = await run("dpkg", ["--print-architecture"]);
  if (stdout.trim() === packages.architecture) {
    if (await works(() => fetchPinned(packages.files, join(making, "pinned")))) return;
    onProgress(`The pinned ${packages.names[0]} is not to be had; looking for another …`);
  }
  for (const mirror of suitesToTry(await aptMirrors())) {
    if (await works(() => fetchFromSuite(mirror, packages.names, join(making, "suite")))) return;
  }
  const message = `This machine's mirrors have no ${packages.names[0]} that is new enough and runs here.`;
  throw new RuntimeError("FetchFailed", message, firstError);
}

// The machine's own suites first: their packages fit best. Newer ones follow, as far as they run here.
function suitesToTry(mirrors: readonly Mirror[]): readonly Mirror[] {
  const main = mirrors.filter(({ suite }) => !/-(security|updates|proposed|backports)/.test(suite));
  const newer = isUbuntu() ? ["devel"] : ["stable", "testing", "unstable"];
  const all = [...main, ...newer.flatMap((suite) => main.map(({ uri }) => ({ uri, suite })))];
  return all.filter((one, at) => all.findIndex(({ uri, suite }) => uri === one.uri && suite === one.suite) === at);
}
