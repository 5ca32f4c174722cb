import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BackupUnsound } from "./errors.ts";

/** A file of a backup as its manifest names it. */
export interface FileEntry {
  /** Within the backup, with `/`. */
  readonly path: string;
  readonly size: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** Writes one file of a backup piece by piece, only for its owner to read, and has it durable at the end. */
export class FileWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  #size = 0;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Makes a file of what `work` writes. */
  static async make(folder: string, path: string, work: (file: FileWriter) => Promise<void>): Promise<FileEntry> {
    const full = join(folder, path);
    await mkdir(dirname(full), { recursive: true, mode: 0o700 });
    const file = new FileWriter(path, await open(full, "wx", 0o600));
    try {
      await work(file);
      return await file.#end();
    } finally {
      await file.#file.close();
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#size += bytes.byteLength;
    await this.#file.writeFile(bytes);
  }

  /** What the manifest says of it. */
  async #end(): Promise<FileEntry> {
    await this.#file.sync();
    return { path: this.#path, size: this.#size, sha256: this.#hash.digest("hex") };
  }
}

/** Writes a file at once. */
export async function writeWhole(folder: string, path: string, content: string | Uint8Array): Promise<FileEntry> {
  return FileWriter.make(folder, path, (file) =>
    file.write(typeof content === "string" ? Buffer.from(content) : content),
  );
}

/**
 * The bytes of a file of a backup, checked as they are read: at the end they must have been as many as the manifest says, with
 * that hash. Throws `BackupUnsound`.
 */
export async function* checkedBytes(folder: string, entry: FileEntry): AsyncGenerator<Buffer, void> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const bytes of createReadStream(join(folder, entry.path), { highWaterMark: readBytes })) {
      hash.update(bytes);
      size += bytes.length;
      yield bytes;
    }
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && typeof cause.code === "string" && "syscall" in cause) {
      const problem = cause.code === "ENOENT" ? "missing" : "unreadable";
      throw new BackupUnsound(entry.path, problem, cause.message, cause);
    }
    throw cause;
  }
  if (size !== entry.size)
    throw new BackupUnsound(entry.path, "changed", `it has ${size} bytes instead of ${entry.size}`);
  if (hash.digest("hex") !== entry.sha256) throw new BackupUnsound(entry.path, "changed", "its SHA-256 is another one");
}

/** The whole of a small file. Throws `BackupUnsound`. */
export async function checkedWhole(folder: string, entry: FileEntry): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of checkedBytes(folder, entry)) parts.push(part);
  return Buffer.concat(parts);
}

/** Whether there is anything of that name. */
export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  await folder.sync().finally(() => folder.close());
}

const readBytes = 1024 * 1024;
