import { closeSync, fdatasync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import type { JsonObject } from "@connect-hub/domain/values";

/** What clients of the soak send. */
export type Method = "postMessage" | "editMessage" | "deleteMessage" | "addMember" | "removeMember";

/** A line of a client's own journal; `who` is the client. */
export type Line =
  /** Before the command is sent, for the first time or once more. */
  | {
      readonly t: "sent";
      readonly who: string;
      readonly key: string;
      readonly method: Method;
      readonly data: JsonObject;
    }
  /** Before anything else is done with the answer. */
  | { readonly t: "done"; readonly who: string; readonly key: string; readonly room: string; readonly s: number }
  | { readonly t: "refused"; readonly who: string; readonly key: string; readonly name: string }
  /** Delivered by the SDK. `key` is what stands in the text: that of the command which posted it. */
  | {
      readonly t: "event";
      readonly who: string;
      readonly room: string;
      readonly epoch: string;
      readonly s: number;
      readonly kind: string;
      readonly by?: string | undefined;
      readonly key?: string | undefined;
    }
  /** Told to forget what was delivered of a room, or that it is not in the room any more. */
  | { readonly t: "reset" | "left"; readonly who: string; readonly room: string }
  /** What else happened to it, for whoever wants to know whether a fault hit. */
  | { readonly t: "met"; readonly who: string; readonly what: "online" | "resync" | "twice" };

/** A journal on the disk. Lines stand in the order in which they were added. */
export interface ClientJournal {
  /** Resolves when the line would survive a power cut; when the process is killed, it is there at once. */
  add(line: Line): Promise<void>;
  close(): void;
}

/** Goes on with the journal in `file`. Lines that come while the disk is busy are synced together. */
export function openClientJournal(file: string): ClientJournal {
  const handle = openSync(file, "a");
  const sync = promisify(fdatasync);
  let syncing: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  return {
    add(line) {
      writeSync(handle, `${JSON.stringify(line)}\n`);
      // A sync that runs already may have missed this line; the one after it has not.
      next ??= (syncing ?? Promise.resolve()).then(() => {
        next = undefined;
        syncing = sync(handle);
        return syncing;
      });
      return next;
    },
    close: () => closeSync(handle),
  };
}

/** Everything in a journal. */
export function readClientJournal(file: string): readonly Line[] {
  return linesIn(readFileSync(file, "utf8"));
}

/** Reads what was added to a journal since the last time. */
export function journalReader(file: string): { read(): readonly Line[] } {
  const handle = openSync(file, "r");
  const chunk = Buffer.alloc(1024 * 1024);
  let at = 0;
  let rest: Buffer = Buffer.alloc(0);
  return {
    read() {
      const parts = [rest];
      for (let size = readSync(handle, chunk, 0, chunk.length, at); size > 0; ) {
        parts.push(Buffer.from(chunk.subarray(0, size)));
        at += size;
        size = readSync(handle, chunk, 0, chunk.length, at);
      }
      const all = Buffer.concat(parts);
      const end = all.lastIndexOf(0x0a) + 1;
      rest = all.subarray(end);
      return linesIn(all.subarray(0, end).toString());
    },
  };
}

const linesIn = (text: string): readonly Line[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line): Line => JSON.parse(line));
