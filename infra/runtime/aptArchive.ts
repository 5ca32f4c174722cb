import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { RuntimeError } from "./errors.ts";
import { readTextIfThere, remove } from "./files.ts";
import { run } from "./run.ts";

/** A file of a Debian mirror, named by its path under the mirror's root. */
export interface PinnedFile {
  readonly path: string;
  readonly sha256: string;
  /** The security archive is a mirror of its own. */
  readonly security?: true;
}

const helper = "/usr/lib/apt/apt-helper";
// Without it apt drops from root to a user of its own, which can't write into our folders.
const asCaller = ["-o", "APT::Sandbox::User="];

/** Whether this machine has apt, whose tools and mirrors are used without touching the system. */
export function hasApt(): boolean {
  return existsSync(helper) && existsSync("/usr/bin/dpkg-deb");
}

/** A part of an archive that the machine's own apt configuration names. */
export interface Mirror {
  readonly uri: string;
  /** For example `bookworm` or `bookworm-security`. */
  readonly suite: string;
}

/** The machine's mirrors, in the order of its configuration; its lists of packages need not be there. */
export async function aptMirrors(): Promise<readonly Mirror[]> {
  const { stdout } = await run("apt-get", ["--print-uris", "update"], { cwd: "/" });
  const releases = stdout.matchAll(/^'([^']+?\/)dists\/([^']+)\/InRelease'/gm);
  return [...releases].flatMap(([, uri, suite]) => (uri === undefined || suite === undefined ? [] : [{ uri, suite }]));
}

/** Fetches pinned files into `folder`, each checked against its hash; those already there are kept. Throws `FetchFailed`. */
export async function fetchPinned(files: readonly PinnedFile[], folder: string): Promise<readonly string[]> {
  const mirrors = await aptMirrors();
  mkdirSync(folder, { recursive: true });
  return Promise.all(files.map((file) => fetchOne(file, mirrors, folder)));
}

async function fetchOne(file: PinnedFile, mirrors: readonly Mirror[], folder: string): Promise<string> {
  const target = join(folder, basename(file.path));
  if (existsSync(target) && createHash("sha256").update(readFileSync(target)).digest("hex") === file.sha256)
    return target;
  const isSecurity = (mirror: Mirror) => mirror.suite.endsWith("-security");
  const uris = new Set(
    mirrors.filter((mirror) => isSecurity(mirror) === (file.security === true)).map(({ uri }) => uri),
  );
  let lastError: unknown;
  for (const uri of uris) {
    try {
      await run(helper, [...asCaller, "download-file", `${uri}${file.path}`, target, `SHA256:${file.sha256}`]);
      return target;
    } catch (error) {
      remove(target);
      lastError = error;
    }
  }
  throw new RuntimeError("FetchFailed", `No mirror of this machine's apt has ${basename(file.path)}.`, lastError);
}

/** Downloads the newest version of packages from one suite, by lists of our own in `folder`, signed and checked as apt does. */
export async function fetchFromSuite(
  { uri, suite }: Mirror,
  packages: readonly string[],
  folder: string,
): Promise<readonly string[]> {
  remove(folder);
  mkdirSync(join(folder, "lists/partial"), { recursive: true });
  mkdirSync(join(folder, "cache/archives/partial"), { recursive: true });
  // A component that an archive lacks is only warned of. Where the keys lie elsewhere, apt knows them without being told.
  const components = isUbuntu() ? "main universe" : "main";
  const keys = `/usr/share/keyrings/${isUbuntu() ? "ubuntu" : "debian"}-archive-keyring.gpg`;
  const signed = existsSync(keys) ? `[signed-by=${keys}] ` : "";
  writeFileSync(join(folder, "sources.list"), `deb ${signed}${uri} ${suite} ${components}\n`);
  const own = [
    ...asCaller,
    ...["-o", `Dir::Etc::sourcelist=${join(folder, "sources.list")}`, "-o", "Dir::Etc::sourceparts=-"],
    ...["-o", "Dir::Etc::preferences=-", "-o", "Dir::Etc::preferencesparts=-"],
    ...["-o", `Dir::State::lists=${join(folder, "lists")}`, "-o", `Dir::Cache=${join(folder, "cache")}`],
    ...["-o", "Acquire::Languages=none", "-o", "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false"],
    "-qq",
  ];
  await run("apt-get", [...own, "update"], { cwd: folder });
  await run("apt-get", [...own, "download", ...packages], { cwd: folder });
  return readdirSync(folder).flatMap((name) => (name.endsWith(".deb") ? [join(folder, name)] : []));
}

/** Whether the system is Ubuntu, whose archive has other parts and names than Debian's. */
export function isUbuntu(): boolean {
  return /^ID=ubuntu$/m.test(readTextIfThere("/etc/os-release") ?? "");
}

/** Unpacks packages into `folder`, as if it were the root of the system. */
export async function unpack(debs: readonly string[], folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const deb of debs) await run("dpkg-deb", ["-x", deb, folder]);
}
