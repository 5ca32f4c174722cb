import { existsSync, readdirSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { run } from "./run.ts";
import { type ProgramKind, programFacts } from "./serverKinds.ts";
import { compareVersions, parseVersion } from "./versions.ts";

/** An account that a server runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** A server program that was really asked for its version. */
export interface ServerProgram {
  readonly kind: ProgramKind;
  readonly source: "path" | "private";
  readonly version: string;
  readonly binary: string;
  /** What the program needs in its environment, such as where its libraries lie. */
  readonly env: Readonly<Record<string, string>>;
}

/** Asks a program for its version, as `account` when given; `undefined` when it can't be run or isn't such a program. */
export async function askVersion(
  kind: ProgramKind,
  binary: string,
  env: Readonly<Record<string, string>> = {},
  account?: Account,
): Promise<string | undefined> {
  try {
    // sshd has no long options, and writes its version to standard error.
    const { stdout, stderr } = await run(binary, [kind === "sshd" ? "-V" : "--version"], {
      cwd: "/",
      env: { PATH: process.env.PATH ?? "", ...env },
      timeoutMs: 10_000,
      ...account,
    });
    return parseVersion(kind === "sshd" ? stderr : stdout);
  } catch {
    return undefined;
  }
}

/** Whether a version is one that the hub works with; `major` asks for that major version alone. */
export function isGoodEnough(kind: ProgramKind, version: string, major?: string): boolean {
  return (
    compareVersions(version, programFacts[kind].minimum) >= 0 &&
    (major === undefined || version.split(".")[0] === major)
  );
}

/** The programs of a kind that the folders of `searchPath` hold, newest first. */
export async function programsOnPath(
  kind: ProgramKind,
  searchPath: string,
  account?: Account,
): Promise<readonly ServerProgram[]> {
  const folders = [...searchPath.split(delimiter).filter((folder) => folder !== ""), ...usualFolders(kind)];
  const binaries = new Set(
    folders.flatMap((folder) =>
      programFacts[kind].programs.flatMap((name) => {
        const path = join(folder, name);
        return existsSync(path) ? [realpathSync(path)] : [];
      }),
    ),
  );
  const programs: ServerProgram[] = [];
  for (const binary of binaries) {
    if (kind === "postgres" && !existsSync(join(dirname(binary), "initdb"))) continue;
    const version = await askVersion(kind, binary, {}, account);
    if (version !== undefined) programs.push({ kind, source: "path", version, binary, env: {} });
  }
  return programs.sort((a, b) => compareVersions(b.version, a.version));
}

// Where packages put PostgreSQL's programs without adding the folder to PATH; an ordinary user's PATH lacks sshd's.
function usualFolders(kind: ProgramKind): readonly string[] {
  if (kind === "sshd") return ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"];
  if (kind !== "postgres") return [];
  const subfolders = (parent: string, pattern: RegExp) =>
    existsSync(parent)
      ? readdirSync(parent).flatMap((name) => (pattern.test(name) ? [join(parent, name, "bin")] : []))
      : [];
  return [
    ...subfolders("/usr/lib/postgresql", /^\d+$/),
    ...["/opt/homebrew/opt", "/usr/local/opt"].flatMap((parent) => subfolders(parent, /^postgresql@\d+$/)),
  ];
}
