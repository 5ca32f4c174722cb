import { Command, CommanderError } from "commander";
import { type HubConfig, readConfig } from "./config.ts";
import { exitCodeOf, exitCodes } from "./exitCodes.ts";

/** What a command gets besides its own arguments. */
export interface CommandContext {
  /** The settings, read when asked for; throws `BadSetting`. */
  config(): HubConfig;
  /** Sets the exit code of a command that ended well but has bad news. */
  exitWith(code: number): void;
}

/** Adds one group of commands to `hub`. A new group is a file in `commands/` and a line in `groups`. */
export type RegisterCommands = (program: Command, context: CommandContext) => void;

// By the first word of the command line. Each is loaded only when it is meant: the clients of all servers together cost most
// of a second, and `up`, `down` and `status` don't need them.
const groups: Readonly<Record<string, () => Promise<RegisterCommands>>> = {
  serve: async () => (await import("./commands/serve.ts")).registerServe,
  up: async () => (await import("./commands/up.ts")).registerUp,
  down: async () => (await import("./commands/down.ts")).registerDown,
  status: async () => (await import("./commands/status.ts")).registerStatus,
  node: async () => (await import("./commands/node.ts")).registerNode,
  service: async () => (await import("./commands/service.ts")).registerService,
  files: async () => (await import("./commands/files.ts")).registerFiles,
  events: async () => (await import("./commands/events.ts")).registerEvents,
  room: async () => (await import("./commands/room.ts")).registerRoom,
  paths: async () => (await import("./commands/paths.ts")).registerPaths,
  projections: async () => (await import("./commands/projections.ts")).registerProjections,
  doctor: async () => (await import("./commands/doctor.ts")).registerDoctor,
  archive: async () => (await import("./commands/archive.ts")).registerArchive,
  backup: async () => (await import("./commands/backup.ts")).registerBackup,
  restore: async () => (await import("./commands/restore.ts")).registerRestore,
  digest: async () => (await import("./commands/digest.ts")).registerDigest,
  "wait-caught-up": async () => (await import("./commands/waitCaughtUp.ts")).registerWaitCaughtUp,
};

async function groupsFor(args: readonly string[]): Promise<readonly RegisterCommands[]> {
  const named = Object.keys(groups).filter((name) => args.includes(name));
  // Help, and what is no command, need the whole list.
  const isHelp = args.includes("help") || args[0]?.startsWith("-h") === true || args[0] === "--help";
  const wanted = named.length === 0 || isHelp ? Object.keys(groups) : named;
  return Promise.all(wanted.flatMap((name) => groups[name]?.() ?? []));
}

/** Runs `hub` with its arguments; the answer is the exit code. Results go to stdout, progress and errors to stderr. */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  let code: number = exitCodes.done;
  const program = new Command("hub")
    .description("Runs and inspects a Connect Hub.")
    .option("--data <folder>", "the box's data folder (default: HUB_DATA, or .hub in the checkout)")
    .exitOverride()
    .showHelpAfterError()
    .addHelpText("after", `\n${exitCodeHelp()}`);
  const context: CommandContext = {
    config: () => readConfig(env, program.opts<{ data?: string }>().data),
    exitWith: (given) => {
      code = given;
    },
  };
  for (const register of await groupsFor(args)) register(program, context);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    // Commander has said already what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.badSettingOrUsage;
    process.stderr.write(`${messageOf(error)}\n`);
    if (process.env.HUB_DEBUG !== undefined) console.error(error);
    return exitCodeOf(error);
  }
  return code;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "AbortError") return "Stopped before it was done.";
  // By their codes: to load their classes takes longer than `status`.
  const isAway = "code" in error && (error.code === "LogUnavailable" || error.code === "FactsUnavailable");
  return isAway ? `${error.message.replace(/\.?$/, ".")} See: npm run hub -- status` : error.message;
}

function exitCodeHelp(): string {
  const rows = Object.entries(exitCodes).map(([name, code]) => `  ${code}  ${wordsOf(name)}`);
  return ["Exit codes:", ...rows].join("\n");
}

function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
