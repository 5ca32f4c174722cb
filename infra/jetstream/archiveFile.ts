import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { finished } from "node:stream/promises";
import { BrokenRecords, decodeRecords, encodeRecord, type StoredCommit } from "@connect-hub/domain/kernel";
import { ArchiveUnsound } from "./errors.ts";

// A stored format, described in docs/format.md: the commits of one epoch as records, then where every 256th of them begins.

/** A file with commits that are not in NATS any more. */
export interface ArchiveFile {
  /** In the archive's folder. */
  readonly name: string;
  readonly size: number;
  /** Of all its bytes, 64 hex digits. */
  readonly sha256: string;
}

/** Which commits it has. */
interface Range {
  readonly first: number;
  readonly last: number;
}

/** An offset of 8 bytes, big-endian, for so many commits. */
const commitsAnOffset = 256;
const offsetBytes = 8;
const batchCommits = 500;
const readBytes = 1024 * 1024;

/**
 * Writes a file, reads it back from the disk, and has it durable under its name at the end. `commits` gives the range, in order.
 * Throws `ArchiveUnsound` when what was read back is something else, and what the disk says; then no file of that name is left.
 */
export async function writeArchiveFile(
  folder: string,
  name: string,
  commits: AsyncIterable<readonly StoredCommit[]>,
): Promise<ArchiveFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const partial = join(folder, `${name}.partial`);
  try {
    const written = await writeAll(partial, commits);
    const there = await hashOfFile(partial);
    if (there !== written.sha256) throw new ArchiveUnsound(partial, "what was read back is not what was written");
    await rename(partial, join(folder, name));
    await syncUpwards(folder);
    return { name, ...written };
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function writeAll(path: string, commits: AsyncIterable<readonly StoredCommit[]>) {
  const hash = createHash("sha256");
  const offsets: Buffer[] = [];
  let size = 0;
  let count = 0;
  const stream = createWriteStream(path, { mode: 0o600, flush: true });
  const ended = finished(stream);
  // What the disk says is thrown below, once nobody writes any more.
  ended.catch(() => undefined);
  const write = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes);
    size += bytes.byteLength;
    if (!stream.write(bytes)) await Promise.race([ended, once(stream, "drain")]);
  };
  try {
    for await (const batch of commits) {
      const records: Uint8Array[] = [];
      let at = size;
      for (const { bytes } of batch) {
        if (count++ % commitsAnOffset === 0) offsets.push(encodeOffset(at));
        const record = encodeRecord(bytes);
        records.push(record);
        at += record.byteLength;
      }
      await write(Buffer.concat(records));
    }
    await write(Buffer.concat(offsets));
    stream.end();
    await ended;
  } finally {
    stream.destroy();
  }
  return { size, sha256: hash.digest("hex") };
}

/** The commits of a file from `from` on, in batches. Throws `ArchiveUnsound`. */
export async function* readArchiveFile(
  folder: string,
  file: ArchiveFile,
  range: Range,
  from: number,
): AsyncGenerator<readonly StoredCommit[], void> {
  const path = join(folder, file.name);
  try {
    const { slot, start, end } = await placeOf(path, file, range, from);
    let n = slot;
    let batch: StoredCommit[] = [];
    for await (const bytes of decodeRecords(
      createReadStream(path, { start, end: end - 1, highWaterMark: readBytes }) as AsyncIterable<Buffer>,
    )) {
      if (n >= from) batch.push({ n, bytes });
      n += 1;
      if (batch.length < batchCommits) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
    if (n !== range.last + 1) throw new ArchiveUnsound(path, `it ends with commit ${n - 1} instead of ${range.last}`);
  } catch (cause) {
    throw explained(cause, path);
  }
}

/** One commit of a file. Throws `ArchiveUnsound`. */
export async function commitInFile(folder: string, file: ArchiveFile, range: Range, n: number): Promise<Uint8Array> {
  for await (const [commit] of readArchiveFile(folder, file, range, n)) if (commit !== undefined) return commit.bytes;
  throw new ArchiveUnsound(join(folder, file.name), `it has no commit ${n}`);
}

/** What is wrong with a file as far as can be seen without reading it, or undefined. */
export async function archiveFileFault(folder: string, file: ArchiveFile): Promise<string | undefined> {
  const found = await stat(join(folder, file.name)).catch(() => undefined);
  if (found === undefined) return "missing";
  return found.size === file.size ? undefined : `${found.size} bytes instead of ${file.size}`;
}

/** Reads a whole file and throws `ArchiveUnsound` when it is not the one that was written, byte for byte; and when `signal` aborts. */
export async function assertWhole(
  folder: string,
  { name, size, sha256 }: ArchiveFile,
  signal?: AbortSignal,
): Promise<void> {
  const path = join(folder, name);
  try {
    const found = await stat(path);
    if (found.size !== size) throw new ArchiveUnsound(path, `it has ${found.size} bytes instead of ${size}`);
    if ((await hashOfFile(path, signal)) !== sha256) throw new ArchiveUnsound(path, "its bytes have changed (SHA-256)");
  } catch (cause) {
    throw explained(cause, path);
  }
}

/** SHA-256 (hex) of a file's bytes. */
async function hashOfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path, { highWaterMark: readBytes })) {
    signal?.throwIfAborted();
    hash.update(bytes);
  }
  return hash.digest("hex");
}

/** Where the records from commit `slot` ≤ `from` on begin, and where all end. */
async function placeOf(path: string, { size }: ArchiveFile, { first, last }: Range, from: number) {
  const index = Math.floor((Math.max(from, first) - first) / commitsAnOffset);
  const offsets = Math.ceil((last - first + 1) / commitsAnOffset);
  const end = size - offsets * offsetBytes;
  const file = await open(path, "r");
  try {
    const found = await file.stat();
    if (found.size !== size) throw new ArchiveUnsound(path, `it has ${found.size} bytes instead of ${size}`);
    const { buffer } = await file.read(Buffer.alloc(offsetBytes), 0, offsetBytes, end + index * offsetBytes);
    const start = Number(buffer.readBigUInt64BE());
    if (start >= end) throw new ArchiveUnsound(path, "its table of places is damaged");
    return { slot: first + index * commitsAnOffset, start, end };
  } finally {
    await file.close();
  }
}

function explained(cause: unknown, path: string): unknown {
  if (cause instanceof BrokenRecords) return new ArchiveUnsound(path, cause.message, cause);
  if (cause instanceof Error && "code" in cause && "syscall" in cause)
    return new ArchiveUnsound(path, cause.code === "ENOENT" ? "it is missing" : cause.message, cause);
  return cause;
}

function encodeOffset(at: number): Buffer {
  const bytes = Buffer.alloc(offsetBytes);
  bytes.writeBigUInt64BE(BigInt(at));
  return bytes;
}

/** A name is durable when the folder that it stands in is. Who made these folders, and when, nobody knows: all are, as far as we may read. */
async function syncUpwards(path: string): Promise<void> {
  for (let at = resolve(path); ; at = dirname(at)) {
    const folder = await open(at, "r").catch((error: unknown) => {
      if (at === resolve(path)) throw error;
    });
    await folder?.sync().finally(() => folder.close());
    if (at === dirname(at)) return;
  }
}
