import { Command, CommanderError } from "commander";
import { type HubConfig, readConfig } from "./config.ts";
import { exitCodeOf, exitCodes } from "./exitCodes.ts";
import { type Failure, failureJson, failureOf } from "./failure.ts";
import { sayUsageBriefly } from "./usage.ts";

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
  restart: async () => (await import("./commands/restart.ts")).registerRestart,
  status: async () => (await import("./commands/status.ts")).registerStatus,
  node: async () => (await import("./commands/node.ts")).registerNode,
  service: async () => (await import("./commands/service.ts")).registerService,
  files: async () => (await import("./commands/files.ts")).registerFiles,
  events: async () => (await import("./commands/events.ts")).registerEvents,
  chat: async () => (await import("./commands/chat.ts")).registerChat,
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
  const first = args.find((arg, index) => !arg.startsWith("-") && args[index - 1] !== "--data") ?? "";
  const meant = Object.hasOwn(groups, first) ? groups[first] : undefined;
  // Help, and what is no command, need the whole list.
  return meant === undefined ? Promise.all(Object.values(groups).map((load) => load())) : [await meant()];
}

/**
 * Runs `hub` with its arguments; the answer is the exit code. Results go to stdout, progress and errors to stderr: with `--json` an error is
 * one JSON object there.
 */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  let code: number = exitCodes.done;
  const isJson = args.includes("--json");
  const program = new Command("hub")
    .description("Runs and inspects a Connect Hub.")
    .option("--data <folder>", "the box's data folder (default: HUB_DATA, or .hub in the checkout)")
    .exitOverride()
    .configureOutput(isJson ? { writeErr: () => undefined } : {})
    .addHelpText("after", `\n${exitCodeHelp()}`);
  const context: CommandContext = {
    config: () => readConfig(env, program.opts<{ data?: string }>().data),
    exitWith: (given) => {
      code = given;
    },
  };
  for (const register of await groupsFor(args)) register(program, context);
  sayUsageBriefly(program);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
    const failure = adviceFor(failureOf(error), program.opts<{ data?: string }>().data);
    if (isJson) process.stderr.write(`${failureJson(failure)}\n`);
    // Of a wrong word on the command line Commander has said all.
    else if (!(error instanceof CommanderError)) process.stderr.write(`${failure.message}\n`);
    if (process.env.HUB_DEBUG !== undefined) console.error(error);
    return exitCodeOf(error);
  }
  return code;
}

/** What is said to be done next is meant for the box that was named. */
function adviceFor(failure: Failure, data: string | undefined): Failure {
  if (data === undefined) return failure;
  return { ...failure, message: failure.message.replaceAll("npm run hub -- ", `npm run hub -- --data ${data} `) };
}

function exitCodeHelp(): string {
  const rows = Object.entries(exitCodes).map(([name, code]) => `  ${code}  ${wordsOf(name)}`);
  return ["Exit codes:", ...rows].join("\n");
}

function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
