import { closeSync, fdatasync, openSync, readFileSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import type { JsonObject } from "@connect-hub/domain/values";

/** A command that the system said it has done. */
export interface Acknowledged {
  /** The key that the client gave it. */
  readonly key: string;
  /** The account that sent it. */
  readonly by: string;
  readonly method: "createRoom" | "postMessage" | "editMessage" | "deleteMessage";
  readonly data: JsonObject;
  readonly room: string;
  /** The number of the event that it made there. */
  readonly s: number;
}

/** What the clients were told, on the disk before anybody goes on: the judge believes nothing else. */
export interface Journal {
  /** Resolves when the entry would survive a power cut. */
  add(entry: Acknowledged): Promise<void>;
  close(): void;
}

/** Starts an empty journal in `file`. Entries that come while the disk is busy are synced together. */
export function openJournal(file: string): Journal {
  const handle = openSync(file, "wx");
  const sync = promisify(fdatasync);
  let syncing: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  return {
    add(entry) {
      writeSync(handle, `${JSON.stringify(entry)}\n`);
      // A sync that runs already may have missed this entry; the one after it has not.
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

/** Everything in a journal, in the order in which it was added. */
export function readJournal(file: string): readonly Acknowledged[] {
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line): Acknowledged => JSON.parse(line));
}
