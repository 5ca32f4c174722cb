import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { embeddedPostgresFolder } from "./embeddedPostgres.ts";
import { RuntimeError } from "./errors.ts";
import { defaultCacheFolder, type OnProgress, privateCopy } from "./privateCopy.ts";
import { installCommand, type ProgramKind, programFacts, serverFacts } from "./serverKinds.ts";
import { type Account, askVersion, isGoodEnough, programsOnPath, type ServerProgram } from "./serverProgram.ts";

/** Where to look for a server. */
export interface FindOptions {
  /** Folders to search, as in PATH; default: the process's PATH. Ignored when `privateOnly`. */
  readonly searchPath?: string;
  readonly privateOnly?: boolean;
  readonly cacheFolder?: string;
  readonly onProgress?: OnProgress;
  /** Who will run it; only a program that this account can run counts. */
  readonly account?: Account | undefined;
  /** PostgreSQL: the major version that made the data folder. */
  readonly major?: string | undefined;
}

/**
 * Finds a server program: a good enough one on the search path, else a private copy, fetched when it isn't there yet.
 * @throws RuntimeError `ServerNotFound`, or `ServerTooOld` when only older ones were found; both name the command that installs one
 */
export async function findServer(kind: ProgramKind, options: FindOptions = {}): Promise<ServerProgram> {
  const searchPath = options.privateOnly === true ? undefined : (options.searchPath ?? process.env.PATH ?? "");
  const onPath = searchPath === undefined ? [] : await programsOnPath(kind, searchPath, options.account);
  const good = onPath.find((program) => isGoodEnough(kind, program.version, options.major));
  if (good !== undefined) return good;
  try {
    return kind === "postgres" ? await privatePostgres(options) : await privateCopyOf(kind, options);
  } catch (cause) {
    throw notFound(kind, onPath, options, cause);
  }
}

function notFound(
  kind: ProgramKind,
  onPath: readonly ServerProgram[],
  options: FindOptions,
  cause: unknown,
): RuntimeError {
  const { title, minimum } = programFacts[kind];
  const found = onPath.map(({ binary, version }) => `${binary} is ${version}`).join(", ");
  const wanted =
    options.major === undefined ? `${minimum} or newer` : `${options.major} (the data folder is of that version)`;
  const why = cause instanceof Error ? ` A private copy could not be had: ${cause.message}` : "";
  return new RuntimeError(
    found === "" ? "ServerNotFound" : "ServerTooOld",
    `${title} ${wanted} is needed${found === "" ? "" : ` (${found})`}.${why} ` +
      `Install one (${installCommand(kind)})${orNameOne(kind)}.`,
    cause,
  );
}

function orNameOne(kind: ProgramKind): string {
  return kind === "sshd" ? "" : ` or name a running one with ${serverFacts[kind].urlVariable}`;
}

function privateCopyOf(kind: Exclude<ProgramKind, "postgres">, options: FindOptions): Promise<ServerProgram> {
  return privateCopy(kind, options.cacheFolder ?? defaultCacheFolder(), options.onProgress ?? (() => {}));
}

async function privatePostgres(options: FindOptions): Promise<ServerProgram> {
  const installed = embeddedPostgresFolder();
  let program = await postgresIn(installed, options.account);
  if (program === undefined && options.account !== undefined) {
    // The checkout may lie under a folder that only root can enter.
    const version = (await postgresIn(installed))?.version;
    if (version !== undefined)
      program = await postgresIn(copyForEveryone(installed, `postgres-${version}`), options.account);
  }
  if (program === undefined)
    throw new RuntimeError("ServerNotFound", `${installed}/bin does not run; try npm rebuild.`);
  if (!isGoodEnough("postgres", program.version, options.major)) {
    throw new RuntimeError("ServerTooOld", `The one from npm is ${program.version}.`);
  }
  return program;
}

async function postgresIn(folder: string, account?: Account): Promise<ServerProgram | undefined> {
  const binary = join(folder, "bin/postgres");
  const version = await askVersion("postgres", binary, {}, account);
  const initdb = await askVersion("postgres", join(folder, "bin/initdb"), {}, account);
  return version === undefined || initdb !== version
    ? undefined
    : { kind: "postgres", source: "private", version, binary, env: {} };
}

/** Where root puts what an unprivileged server must reach. */
export const sharedFolder = "/var/lib/connect-hub";

/** A copy of a folder, under `name`, that every account can reach; one that is there already serves again. */
export function copyForEveryone(installed: string, name: string): string {
  const home = join(sharedFolder, name);
  if (existsSync(home)) return home;
  mkdirSync(sharedFolder, { recursive: true, mode: 0o755 });
  const making = join(sharedFolder, `.making-${name}-${process.pid}`);
  rmSync(making, { recursive: true, force: true });
  cpSync(installed, making, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(making, home);
  } catch (error) {
    // Another start was quicker; its copy is as good.
    rmSync(making, { recursive: true, force: true });
    if (!existsSync(home)) throw error;
  }
  return home;
}
