import type { Command } from "commander";
import { isSupervised, readBoxState } from "../box/boxState.ts";
import { runChat } from "../chat/runChat.ts";
import type { CommandContext } from "../cli.ts";
import { exitCodes, NotRunning } from "../exitCodes.ts";

interface ChatOptions {
  readonly url?: string;
  readonly email: string;
  readonly register?: string;
  readonly json?: true;
}

/** `hub chat`: talk in the rooms of a hub, on a terminal or in a pipe. */
export function registerChat(program: Command, context: CommandContext): void {
  program
    .command("chat")
    .description("talk: lines of stdin are messages, those that begin with / are commands (/help lists them)")
    .argument("[room]", "the room to open, by its name or id")
    .requiredOption("--email <address>", "who signs in; the password is asked for, or taken from HUB_CHAT_PASSWORD")
    .option("--register <name>", "make the account first, of a person with this name")
    .option("--url <address>", "of the hub (default: the box that runs on this machine)")
    .option("--json", "for programs: a JSON object a line")
    .action(async (room: string | undefined, { url, email, register, json }: ChatOptions) => {
      const isSound = await runChat({
        url: url ?? addressOfBox(context.config().dataDir),
        email,
        password: process.env.HUB_CHAT_PASSWORD,
        register,
        room,
        json: json === true,
      });
      if (!isSound) context.exitWith(exitCodes.failed);
    });
}

function addressOfBox(dataDir: string): string {
  const state = readBoxState(dataDir);
  if (state === undefined || !isSupervised(state))
    throw new NotRunning(
      `The box in ${dataDir} isn't running. Start it by: npm run hub -- up, or say --url of another.`,
    );
  return state.address;
}
