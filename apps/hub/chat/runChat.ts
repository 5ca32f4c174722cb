import { createInterface, type Interface } from "node:readline";
import { connect, register, signIn, signOut } from "@connect-hub/sdk";
import { WebSocket } from "ws";
import { failureOf } from "../failure.ts";
import { untilSignal } from "../untilSignal.ts";
import { askPassword } from "./askPassword.ts";
import { chatCommands } from "./chatCommands.ts";
import { chatPrinter } from "./chatPrinter.ts";
import { chatPeople, chatRooms } from "./chatRooms.ts";

/** Who chats where. */
export interface ChatSettings {
  readonly url: string;
  readonly email: string;
  /** Asked for on the terminal if left out. */
  readonly password: string | undefined;
  /** The name of the account that is made first. */
  readonly register: string | undefined;
  /** A room's name or id. */
  readonly room: string | undefined;
  readonly json: boolean;
}

/** Chats until stdin ends, `/quit` or Ctrl-C; whether everything that was asked was done. Throws `HubError` when the sign-in is refused. */
export async function runChat(settings: ChatSettings): Promise<boolean> {
  const { url, email } = settings;
  const password = settings.password || (await askPassword());
  if (settings.register !== undefined) await register({ url, email, password, name: settings.register });
  const { token, position } = await signIn({ url, email, password });
  const print = chatPrinter(settings.json);
  const { signal, release } = untilSignal();
  const client = connect({
    url,
    token,
    position,
    WebSocket,
    onState(state, error) {
      if (state === "waiting") print.note("The line is dead; it comes back by itself.");
      else if (state === "closed" && error !== undefined && error.name !== "ClientClosed") {
        print.failure(failureOf(error));
        stop();
      }
    },
  });
  // It loses what it reads before somebody asks for it.
  let lines: Interface | undefined;
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
    lines?.close();
  };
  signal.addEventListener("abort", () => {
    stop();
    // What waits for a dead line would keep us here.
    if (client.state !== "online") client.close();
  });
  let isSound = true;
  try {
    const rooms = chatRooms(client, chatPeople(client), print);
    const commands = chatCommands(client, rooms, print);
    const perform = async (line: string): Promise<void> => {
      try {
        await commands.perform(line);
        await rooms.printed();
      } catch (error) {
        isSound = false;
        print.failure(failureOf(error));
      }
    };
    await client.query("rooms", {});
    if (settings.room !== undefined) await perform(`/open ${settings.room}`);
    lines = createInterface({ input: process.stdin, terminal: false });
    for await (const line of lines) {
      if (isStopped || line.trim() === "/quit") break;
      if (line.trim() !== "") await perform(line);
    }
    if (client.state === "closed") return false;
    // The end of a session closes its sockets: of one that is still open that would be told as a failure.
    client.close();
    await signOut({ url, token });
    return isSound;
  } finally {
    release();
    lines?.close();
    client.close();
    process.stdin.destroy();
  }
}
