import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { uploadSurely } from "../support/fileDoor.ts";
import { newKey } from "./newKey.ts";
import type { Person } from "./people.ts";
import type { RealFile } from "./realFiles.ts";

/** A file that somebody brought and showed in a message. */
export interface Brought {
  readonly file: string;
  readonly real: RealFile;
  /** SHA-256 of what was brought, taken from the original. */
  readonly hash: string;
  readonly by: Person;
  readonly room: string;
  /** The message that it stands in. */
  readonly s: number;
}

/** The rooms where files are shown. */
export interface Library {
  readonly room: string;
  readonly members: readonly Person[];
  /** Not in the room. */
  readonly outsider: Person;
  /** A second room, with the outsider in it. */
  readonly branch: string;
}

/** How many people carry at a time. */
const carriers = 3;
const uploadMs = 90_000;

/** Makes the two rooms: the last of the people stays outside of the first. */
export async function openLibrary(people: readonly Person[]): Promise<Library> {
  const [librarian, ...others] = people.slice(0, -1);
  const outsider = people.at(-1);
  if (librarian === undefined || outsider === undefined) throw new Error("A library needs two people.");
  const users = (some: readonly Person[]) => some.map(({ session }) => session.user);
  const { room } = await librarian.say("createRoom", { name: "The library", members: users(others) });
  const branch = await librarian.say("createRoom", { name: "The branch library", members: users([outsider]) });
  return { room, members: [librarian, ...others], outsider, branch: branch.room };
}

/** Brings files, some at a time, and shows each in a message of its own. `onBrought` hears of each that is acknowledged. */
export async function bringFiles(
  files: readonly RealFile[],
  { room, members }: Library,
  { address, onBrought }: { readonly address: string; readonly onBrought: () => void },
): Promise<readonly Brought[]> {
  const brought: Brought[] = [];
  const waiting = [...files.entries()];
  const carry = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, real] = next;
      const by = members[index % members.length];
      if (by === undefined) throw new Error("A library has members.");
      const hash = await hashOf(real.path);
      const upload = { room, name: basename(real.path), type: real.type, key: newKey() };
      const { file } = await uploadSurely({ address, token: by.session.token }, upload, real.path, uploadMs);
      const { s } = await by.say("postMessage", { room, text: `See ${basename(real.path)}.`, files: [file] });
      brought.push({ file, real, hash, by, room, s });
      onBrought();
    }
  };
  await Promise.all(Array.from({ length: carriers }, carry));
  return brought;
}

/** The SHA-256 of a file, 64 hex digits. */
async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest("hex");
}
