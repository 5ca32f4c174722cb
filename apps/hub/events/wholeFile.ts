import { randomBytes } from "node:crypto";
import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** A file could not be written; nothing is left of it. */
export class FileNotWritten extends Error {
  override readonly name = "FileNotWritten";
}

const bufferBytes = 1024 * 1024;

/**
 * Writes a file whole or not at all: beside its name first, durable, and named only then. What was there under that name stays until
 * then. Throws `FileNotWritten`, and what `fill` throws.
 */
export async function writeWholeFile(
  path: string,
  fill: (write: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const target = await targetOf(path);
  const partial = `${target}.${randomBytes(4).toString("hex")}.partial`;
  const file = await orNotWritten(path, () => open(partial, "wx", 0o600));
  try {
    await writeAll(file, path, fill);
    await orNotWritten(path, () => rename(partial, target));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await syncFolder(dirname(target));
}

/** What is to be replaced: a link stays one, and nothing but a file ever is, as a device would be gone. */
async function targetOf(path: string): Promise<string> {
  const target = await realpath(path).catch(() => resolve(path));
  const there = await stat(target).catch(() => undefined);
  if (there === undefined || there.isFile()) return target;
  const why = there.isDirectory()
    ? "that is a folder: name a file"
    : "that is no file but a device or a pipe: name a file";
  throw new FileNotWritten(`${path} was not written: ${why}. Nothing is left of it.`);
}

async function writeAll(
  file: FileHandle,
  path: string,
  fill: (write: (text: string) => Promise<void>) => Promise<void>,
) {
  let waiting = "";
  const flush = async (): Promise<void> => {
    const text = waiting;
    waiting = "";
    await orNotWritten(path, () => file.writeFile(text));
  };
  try {
    await fill(async (text) => {
      waiting += text;
      if (waiting.length >= bufferBytes) await flush();
    });
    await flush();
    await orNotWritten(path, () => file.sync());
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

const reasons: { readonly [code: string]: string } = {
  ENOSPC: "the disk is full: make room, or name a file on another disk",
  EDQUOT: "the quota on that disk is used up: make room, or name a file on another disk",
  EACCES: "it may not be written there",
  EROFS: "that disk can't be written to",
  ENOENT: "its folder does not exist: make it first",
  ENOTDIR: "its folder is none",
};

async function orNotWritten<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why = reasons[code] ?? (cause instanceof Error ? cause.message : String(cause));
    throw new FileNotWritten(`${path} was not written: ${why}. Nothing is left of it.`, { cause });
  }
}
