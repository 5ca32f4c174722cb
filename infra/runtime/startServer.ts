import { join } from "node:path";
import { type DataFolder, openDataFolder, usableCacheFolder } from "./dataFolder.ts";
import { RuntimeError } from "./errors.ts";
import { type FindOptions, findServer } from "./findServer.ts";
import { natsRecipe, openNatsRecipe } from "./nats.ts";
import { endLeftover } from "./pidFile.ts";
import { assertPortFree, freePort } from "./ports.ts";
import { postgresAccount, postgresMajorOf, postgresRecipe } from "./postgres.ts";
import { defaultCacheFolder } from "./privateCopy.ts";
import type { Launch, NatsCluster, Recipe } from "./recipe.ts";
import { type ServerKind, serverFacts } from "./serverKinds.ts";
import type { Account, ServerProgram } from "./serverProgram.ts";
import { type SupervisedProcess, type SuperviseOptions, superviseProcess } from "./supervisedProcess.ts";
import { valkeyRecipe } from "./valkey.ts";

/** How to start one server. */
export interface StartServerOptions extends Omit<FindOptions, "account" | "major"> {
  readonly dataDir: string;
  /** Default or 0: any free one, kept when the server is restarted. */
  readonly port?: number;
  /** NATS without users and rights instead of the top-level `nats.conf`; default false. */
  readonly open?: boolean;
  /** NATS only: the cluster that it is one server of; default: none. */
  readonly cluster?: NatsCluster | undefined;
  /** Told when the state of the process changes. */
  readonly onChange?: () => void;
  /** Calls the start off. */
  readonly signal?: AbortSignal;
}

/** A server that answers, and is started again when it dies. */
export interface RunningServer {
  readonly kind: ServerKind;
  /** `url`: somebody else runs it; it has no folder and no process here. */
  readonly source: "url" | "path" | "private";
  /** `unknown` only for a PostgreSQL by URL that nobody asked. */
  readonly version: string;
  /** `host:port`. */
  readonly address: string;
  readonly dataFolder: string | undefined;
  /** With the name and password of its most powerful user; NATS by `nats.conf` has none in its URL. */
  readonly url: string;
  readonly process: SupervisedProcess | undefined;
  /** Stops it and waits until it is gone. */
  close(): Promise<void>;
}

/**
 * Finds, prepares and starts one server on the loopback address, and resolves when it answers.
 * @throws RuntimeError `ServerNotFound`, `ServerTooOld`, `PortInUse` (naming the variable), `ServerFailed`, `DataUnusable`
 */
export async function startServer(kind: ServerKind, options: StartServerOptions): Promise<RunningServer> {
  const folder = openDataFolder(options.dataDir);
  const account = kind === "postgres" ? await postgresAccount(folder) : undefined;
  const major = kind === "postgres" ? postgresMajorOf(folder) : undefined;
  const cacheFolder = options.cacheFolder ?? usableCacheFolder(folder, defaultCacheFolder());
  const program = await findServer(kind, { ...options, cacheFolder, account, major });
  const recipe = recipeOf(kind, options.open === true);
  // What a killed run left behind holds the port and the data.
  await endLeftover(pidFileOf(folder, kind), recipe.kind === "postgres" ? "SIGINT" : "SIGTERM", 20_000);
  const wanted = options.port ?? 0;
  for (let attempt = 1; ; attempt++) {
    const port = wanted === 0 ? await freePort() : wanted;
    if (wanted !== 0) await assertPortFree(port, serverFacts[kind].portVariable, serverFacts[kind].title);
    const launch = await recipe.prepare({
      program,
      folder,
      port,
      account,
      cluster: options.cluster,
      onProgress: options.onProgress ?? (() => {}),
    });
    try {
      const process = await launchServer(kind, program, launch, { folder, account, ...options });
      const { dataFolder, url } = launch;
      const { source, version } = program;
      const address = `127.0.0.1:${port}`;
      return { kind, source, version, address, dataFolder, url, process, close: () => process.stop() };
    } catch (error) {
      // Somebody else may have taken the free port in the meantime.
      const mayHelp = wanted === 0 && attempt < 3 && error instanceof RuntimeError && /in use/i.test(error.message);
      if (!mayHelp) throw error;
    }
  }
}

function launchServer(
  kind: ServerKind,
  program: ServerProgram,
  launch: Launch,
  { folder, account, onChange, signal }: SuperviseOptions & { folder: DataFolder; account: Account | undefined },
): Promise<SupervisedProcess> {
  const plan = {
    ...launch,
    ...account,
    name: serverFacts[kind].title,
    command: program.binary,
    env: { PATH: process.env.PATH ?? "", ...program.env, ...launch.env },
    cwd: "/",
    logFile: join(folder.logs, `${kind}.log`),
    pidFile: pidFileOf(folder, kind),
    readyTimeoutMs: 60_000,
  };
  return superviseProcess(plan, { onChange, signal });
}

function pidFileOf(folder: DataFolder, kind: ServerKind): string {
  return join(folder.run, `${kind}.pid`);
}

function recipeOf(kind: ServerKind, open: boolean): Recipe {
  switch (kind) {
    case "nats":
      return open ? openNatsRecipe : natsRecipe;
    case "postgres":
      return postgresRecipe;
    case "valkey":
      return valkeyRecipe;
  }
}
