import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { RuntimeError } from "./errors.ts";
import { remove } from "./files.ts";
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

/** A mirror that the machine's own apt configuration names. */
export interface Mirror {
  readonly uri: string;
  readonly codename: string;
  readonly origin: string;
  readonly signedBy: string;
}

/** The machine's mirrors that hold Debian or Ubuntu itself, in the order of its configuration. */
export async function aptMirrors(): Promise<readonly Mirror[]> {
  const format = "$(REPO_URI)\t$(CODENAME)\t$(ORIGIN)\t$(SIGNED_BY)\t$(CREATED_BY)";
  const { stdout } = await run("apt-get", ["indextargets", "--format", format]);
  const mirrors = stdout.split("\n").flatMap((line) => {
    const [uri, codename, origin, signedBy, createdBy] = line.split("\t");
    const wanted = createdBy === "Packages" && (origin === "Debian" || origin === "Ubuntu" || origin === "");
    return wanted && uri !== undefined && codename !== undefined && origin !== undefined && signedBy !== undefined
      ? [{ uri, codename, origin, signedBy }]
      : [];
  });
  return mirrors;
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
  const isSecurity = (mirror: Mirror) => mirror.codename.endsWith("-security");
  const uris = new Set(
    mirrors.filter((mirror) => isSecurity(mirror) === (file.security === true)).map(({ uri }) => uri),
  );
  let lastError: unknown;
  for (const uri of uris) {
    const url = `${uri.replace(/\/?$/, "/")}${file.path}`;
    try {
      await run(helper, [...asCaller, "download-file", url, target, `SHA256:${file.sha256}`]);
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
  mirror: Mirror,
  suite: string,
  packages: readonly string[],
  folder: string,
): Promise<readonly string[]> {
  remove(folder);
  mkdirSync(join(folder, "lists/partial"), { recursive: true });
  mkdirSync(join(folder, "cache/archives/partial"), { recursive: true });
  const components = mirror.origin === "Ubuntu" ? "main universe" : "main";
  const signed = mirror.signedBy === "" ? "" : `[signed-by=${mirror.signedBy}] `;
  writeFileSync(join(folder, "sources.list"), `deb ${signed}${mirror.uri} ${suite} ${components}\n`);
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

/** Unpacks packages into `folder`, as if it were the root of the system. */
export async function unpack(debs: readonly string[], folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const deb of debs) await run("dpkg-deb", ["-x", deb, folder]);
}
