import { access, mkdir, open, readdir, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { UploadStep } from "@connect-hub/domain/content";
import type { JsonObject } from "@connect-hub/domain/values";
import type { Owner } from "./blobStore.ts";
import { isErrno, StoreFull, TooManyUploads, UploadGone, UploadTaken } from "./errors.ts";
import { partFile, partIn, syncFolder } from "./folders.ts";
import { type HeldUpload, holdUpload } from "./heldUpload.ts";
import { type StoreParts, temporaryName } from "./receive.ts";
import type { Account } from "./usage.ts";

/** Which upload: whose, and its name among theirs. Letters, digits, `-` and `_`. */
export interface UploadName {
  readonly whose: string;
  readonly id: string;
}

/** What an upload was begun with. */
export interface UploadRecord {
  /** Bytes that it will have. */
  readonly size: number;
  /** What its owner said of it. */
  readonly about: JsonObject;
}

/** An upload as it is on the disk. */
export interface SeenUpload extends UploadRecord {
  /** So many bytes are here for good. */
  readonly offset: number;
  readonly expiresAt: Date;
  /** What its owner was told when it was whole; there are no bytes of it here then. */
  readonly answer?: JsonObject;
}

/**
 * Uploads that may be gone on with after a break, by this process or another one that has the store open. What they will need is kept
 * free for them, and 24 hours after their begin they are gone.
 */
export interface Uploads {
  /**
   * Begins one, durably, or finds the one of that name, whatever it was begun with. Throws `StoreFull`, and `TooManyUploads` when whoever
   * it is has `mostOpen` that are not whole.
   */
  begin(name: UploadName, record: UploadRecord, mostOpen: number): Promise<SeenUpload>;
  /** Undefined: there is none, or none any more. */
  look(name: UploadName): Promise<SeenUpload | undefined>;
  /** Takes it for oneself, to write to it. Throws `UploadGone`, and `UploadTaken` while somebody has it. */
  take(name: UploadName): Promise<HeldUpload>;
  /** Removes it, also from under who has it; whether it was there. */
  drop(name: UploadName): Promise<boolean>;
  /** Removes those whose time is over; how many. */
  sweep(): Promise<number>;
}

/** What of a store uploads are kept with. */
export interface UploadParts extends StoreParts {
  readonly isAlive: Owner["isAlive"];
  readonly account: Account;
  readonly step?: ((name: UploadStep) => void | Promise<void>) | undefined;
}

const lifeMs = 24 * 60 * 60 * 1_000;
const recordFile = "record";
/** Of the file that stands for one that is whole. */
const doneSuffix = ".done";

/** Those of a store. */
export function openUploads(parts: UploadParts): Uploads {
  const { folders, account } = parts;
  const folderOf = ({ whose, id }: UploadName) => join(folders.uploads, `${whose}.${id}`);

  /** Makes it whole elsewhere first; whether it is new. */
  async function make(folder: string, record: UploadRecord): Promise<boolean> {
    const draft = temporaryName(parts);
    try {
      await mkdir(draft, { mode: 0o700 });
      await writeSynced(join(draft, recordFile), JSON.stringify(record));
      await writeSynced(join(draft, partFile), "");
      await syncFolder(draft);
      await rename(draft, folder);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      if (isErrno(error, "ENOTEMPTY", "EEXIST")) return false;
      throw isErrno(error, "ENOSPC", "EDQUOT") ? new StoreFull(error) : error;
    }
    await syncFolder(folders.uploads);
    account.promised(record.size);
    await parts.step?.("resume.begun");
    return true;
  }

  async function openOf(whose: string): Promise<number> {
    const names = await readdir(folders.uploads);
    return names.filter((name) => name.startsWith(`${whose}.`) && !name.endsWith(doneSuffix)).length;
  }

  async function seen(folder: string): Promise<SeenUpload | undefined> {
    const done = await withTime<UploadRecord & { readonly answer: JsonObject }>(`${folder}${doneSuffix}`);
    if (done !== undefined) return { ...done, offset: done.size };
    const record = await withTime<UploadRecord>(join(folder, recordFile));
    if (record === undefined) return undefined;
    const offset = await durableSize(folder);
    return offset === undefined ? undefined : { ...record, offset };
  }

  /** Whether there was one. */
  async function removeFolder(folder: string): Promise<boolean> {
    const record = await withTime<UploadRecord>(join(folder, recordFile));
    const gone = temporaryName(parts);
    if (!(await unlessGone(rename(folder, gone)))) return false;
    account.promised(-(record?.size ?? 0));
    await rm(gone, { recursive: true, force: true });
    return true;
  }

  const removeDone = (folder: string): Promise<boolean> => unlessGone(unlink(`${folder}${doneSuffix}`));

  async function remove(folder: string): Promise<boolean> {
    const wasOpen = await removeFolder(folder);
    return (await removeDone(folder)) || wasOpen;
  }

  async function look(name: UploadName): Promise<SeenUpload | undefined> {
    const folder = folderOf(name);
    const found = await seen(folder);
    if (found === undefined || found.expiresAt.getTime() > Date.now()) return found;
    await remove(folder);
    return undefined;
  }

  return {
    look,
    async begin(name, record, mostOpen) {
      const there = await look(name);
      if (there !== undefined) return there;
      const giveBack = await account.reserve(record.size);
      let isNew: boolean;
      try {
        isNew = await make(folderOf(name), record);
      } finally {
        giveBack();
      }
      // Not before: of two that begin at once each would see room for one.
      if (isNew && (await openOf(name.whose)) > mostOpen) {
        await remove(folderOf(name));
        throw new TooManyUploads();
      }
      const begun = await look(name);
      if (begun === undefined) throw new UploadGone();
      return begun;
    },
    async take(name) {
      const folder = folderOf(name);
      const found = await look(name);
      if (found === undefined || found.answer !== undefined) throw new UploadGone();
      const path = await takePart(folder, parts);
      return holdUpload({ ...parts, folder, path, size: found.size, done: (answer) => finish(folder, found, answer) });
    },
    drop: (name) => remove(folderOf(name)),
    async sweep() {
      let count = 0;
      for (const name of await readdir(folders.uploads)) {
        const path = join(folders.uploads, name);
        if (!(await isOver(path))) continue;
        const isDone = name.endsWith(doneSuffix);
        if (await (isDone ? removeDone(path.slice(0, -doneSuffix.length)) : removeFolder(path))) count++;
      }
      return count;
    },
  };

  async function finish(folder: string, { size, about }: UploadRecord, answer: JsonObject): Promise<void> {
    const draft = temporaryName(parts);
    await writeSynced(draft, JSON.stringify({ size, about, answer }));
    await rename(draft, `${folder}${doneSuffix}`);
    await syncFolder(folders.uploads);
    await parts.step?.("resume.answered");
    await removeFolder(folder);
  }
}

/** Whether the time of a folder is over, or of a file that stands for one that is whole, or whether it was left behind by that file. */
async function isOver(path: string): Promise<boolean> {
  const isDone = path.endsWith(doneSuffix);
  if (!isDone && (await isThere(`${path}${doneSuffix}`))) return true;
  const found = await withTime(isDone ? path : join(path, recordFile));
  return found !== undefined && found.expiresAt.getTime() <= Date.now();
}

/** Gives the bytes a name that says who has them; that path. Throws `UploadGone` and `UploadTaken`. */
async function takePart(folder: string, { owner, isAlive }: UploadParts): Promise<string> {
  const mine = join(folder, `${partFile}.${owner}`);
  for (;;) {
    const part = await partIn(folder);
    if (part === undefined) throw new UploadGone();
    const holder = part.slice(partFile.length + 1);
    if (holder !== "" && isAlive(holder)) throw new UploadTaken();
    if (await unlessGone(rename(join(folder, part), mine))) return mine;
  }
}

/** How many bytes there are, which from now on stay; whoever writes may go on meanwhile. */
async function durableSize(folder: string): Promise<number | undefined> {
  for (;;) {
    const part = await partIn(folder);
    if (part === undefined) return undefined;
    try {
      const file = await open(join(folder, part), "r+");
      try {
        const { size } = await file.stat();
        await file.datasync();
        return size;
      } finally {
        await file.close();
      }
    } catch (error) {
      // It was taken, or let go, in between.
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }
}

/** What stands in a file of ours, and when that is over; undefined when it is not there. */
async function withTime<T>(path: string): Promise<(T & { readonly expiresAt: Date }) | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    return { ...(JSON.parse(text) as T), expiresAt: new Date(mtimeMs + lifeMs) };
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: "wx", mode: 0o600, flush: true });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Whether it was there to be renamed or removed. */
async function unlessGone(done: Promise<void>): Promise<boolean> {
  try {
    await done;
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
