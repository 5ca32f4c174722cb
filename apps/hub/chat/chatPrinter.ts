import type { SentMessage } from "@connect-hub/sdk";
import { type Failure, failureJson } from "../failure.ts";
import { inBytes } from "../inBytes.ts";

/** A room in a list. */
export interface ListedRoom {
  readonly id: string;
  readonly name: string | null;
  readonly type: string;
  readonly members: number;
}

/** Says what happens: lines for people, or JSON objects for programs. */
export interface ChatPrinter {
  rooms(rooms: readonly ListedRoom[]): void;
  opened(room: { readonly id: string; readonly name: string }): void;
  message(room: string, author: string, message: SentMessage): void;
  saved(file: { readonly id: string; readonly path: string; readonly size: number }): void;
  help(lines: readonly string[]): void;
  /** For people only. */
  note(text: string): void;
  failure(failure: Failure): void;
}

/** Results go to stdout, the rest to stderr. */
export function chatPrinter(isJson: boolean): ChatPrinter {
  const say = (value: object, text: () => string): void => console.log(isJson ? JSON.stringify(value) : text());
  return {
    rooms: (rooms) =>
      say({ rooms }, () =>
        rooms.length === 0
          ? "No rooms yet. Make one: /new NAME"
          : rooms
              .map(({ id, name, type, members }) => `${name ?? "(dialog)"}  ${type}, ${members} in it  ${id}`)
              .join("\n"),
      ),
    opened: (room) => say({ opened: room }, () => `== ${room.name} ==`),
    message: (room, author, message) =>
      say({ message: { room, author, ...message } }, () => messageText(author, message)),
    saved: (file) => say({ saved: file }, () => `Saved ${file.path} (${inBytes(file.size)}).`),
    help: (lines) => say({ help: lines }, () => lines.join("\n")),
    note(text) {
      if (!isJson) process.stderr.write(`${text}\n`);
    },
    failure: (failure) => void process.stderr.write(`${isJson ? failureJson(failure) : failure.message}\n`),
  };
}

function messageText(author: string, { s, at, text, files, edited, deleted }: SentMessage): string {
  const time = at.slice(11, 16);
  const said = deleted ? "(deleted)" : [visible(text ?? "(erased)"), ...(edited ? ["(edited)"] : [])].join(" ");
  const attached = files.map(
    ({ id, name, size }) => `\n      ${visible(name ?? "file")} (${inBytes(size)})  /get ${id}`,
  );
  return `${time} #${s} ${visible(author)}: ${said}${attached.join("")}`;
}

/** What others wrote must not steer the terminal, nor look like what somebody else wrote. */
function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => (character === "\n" ? "\n      " : "\u00b7"));
}
