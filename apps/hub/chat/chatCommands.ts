import { openAsBlob, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import type { Client, RoomStore } from "@connect-hub/sdk";
import type { ChatPrinter } from "./chatPrinter.ts";
import type { ChatRooms } from "./chatRooms.ts";

/** A line that can't be done as it stands. */
class BadChatLine extends Error {
  override readonly name = "BadChatLine";
}

/** What each command takes and does. */
const help = {
  "/rooms": "list your rooms",
  "/open ROOM": "open a room, by its name or id",
  "/new NAME": "make a room and open it",
  "/dialog EMAIL": "open the room of two with that person",
  "/invite EMAIL": "add a person to the open room",
  "/who": "who is in the open room",
  "/older": "earlier messages",
  "/edit NUMBER TEXT": "give a message of yours another text",
  "/delete NUMBER": "delete a message of yours",
  "/file PATH": "post a file",
  "/get ID PATH": "save a file; nothing is overwritten",
  "/quit": "end, as the end of the input does",
} as const;

/** Performs lines of input, one after another. */
export interface ChatCommands {
  /** Throws `BadChatLine`, `HubError` and what the file system throws. */
  perform(line: string): Promise<void>;
}

export function chatCommands(client: Client, rooms: ChatRooms, print: ChatPrinter): ChatCommands {
  const here = (): RoomStore => {
    if (rooms.open === undefined) throw new BadChatLine("No room is open. See /rooms, then: /open ROOM, or /new NAME");
    return rooms.open;
  };
  const personOf = async (email: string): Promise<string> => (await client.query("findPerson", { email })).id;

  const commands: Readonly<Record<string, (argument: string) => Promise<void>>> = {
    async "/help"() {
      print.help(Object.entries(help).map(([what, does]) => `${what.padEnd(18)}${does}`));
    },
    async "/rooms"() {
      const { rooms: all } = await client.query("rooms", {});
      print.rooms(all.map(({ id, name, type, members }) => ({ id, name, type, members })));
    },
    async "/open"(wanted) {
      const { rooms: all } = await client.query("rooms", {});
      const found = all.filter(({ id, name }) => id === wanted || name === wanted);
      if (found.length > 1)
        throw new BadChatLine(`${found.length} rooms are called ${wanted}. Say the id: /rooms lists them`);
      if (found[0] === undefined)
        throw new BadChatLine(`You are in no room ${wanted || "without a name"}. See: /rooms`);
      await rooms.enter(found[0].id);
    },
    async "/new"(name) {
      await rooms.enter((await client.command("createRoom", { name })).room);
    },
    async "/dialog"(email) {
      await rooms.enter((await client.command("openDialog", { with: await personOf(email) })).room);
    },
    async "/invite"(email) {
      await client.command("addMember", { room: here().id, user: await personOf(email) });
    },
    async "/who"() {
      const members = await here().members();
      print.help(members.map(({ id, name, role }) => `${name ?? id}  ${role}  ${id}`));
    },
    async "/older"() {
      if (!(await here().older())) print.note("That is all there is.");
    },
    async "/edit"(argument) {
      const [, number = "", text = ""] = /^(\d+) (.*)$/s.exec(argument) ?? [];
      await here().edit(numbered(number, "/edit NUMBER TEXT"), text);
    },
    async "/delete"(number) {
      await here().delete(numbered(number, "/delete NUMBER"));
    },
    async "/file"(path) {
      const room = here();
      statSync(path);
      const onProgress = (sent: number, size: number): void => {
        if (process.stderr.isTTY && sent < size) process.stderr.write(`\r${Math.floor((100 * sent) / size)} % `);
      };
      const file = await client.uploadFile({
        room: room.id,
        name: basename(path),
        bytes: await openAsBlob(path),
        onProgress,
      });
      await room.post({ files: [file] });
    },
    async "/get"(argument) {
      const [, id, path] = /^(\S+) (.+)$/.exec(argument) ?? [];
      if (id === undefined || path === undefined) throw new BadChatLine("Say which file, and where to: /get ID PATH");
      print.saved({ id, path, size: await save(client, id, path) });
    },
  };

  return {
    async perform(line) {
      const [, name = "", argument = ""] = /^(\/\S*)\s*(.*)$/s.exec(line) ?? [];
      if (name === "") {
        await here().post(line);
        return;
      }
      const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
      if (command === undefined) throw new BadChatLine(`There is no command ${name}. See: /help`);
      await command(argument.trim());
    },
  };
}

function numbered(text: string, usage: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new BadChatLine(`Say the number of a message, which stands after #: ${usage}`);
  return Number(text);
}

/** Writes a file's bytes to a new file. */
async function save(client: Client, id: string, path: string): Promise<number> {
  const { body } = await client.downloadFile(id);
  const target = await open(path, "wx");
  let size = 0;
  try {
    for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
      await target.write(chunk);
      size += chunk.byteLength;
    }
  } finally {
    await target.close();
  }
  return size;
}
