import { type FileHandle, open, utimes } from "node:fs/promises";
import { isErrno } from "./errors.ts";

const readBytes = 256 * 1024;
/** The time of the last access is written down no more often. */
const touchMs = 60_000;

/** The bytes `from` (inclusive) to `to` (exclusive) of a file, read one step ahead. Throws `ENOENT` when it is not there. */
export async function* readRange(
  path: string,
  from: number,
  to: number,
  { isAccess } = { isAccess: true },
): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r");
  let ahead: Promise<Uint8Array> | undefined;
  try {
    if (isAccess) await touch(path, file);
    ahead = readAt(file, from, to);
    for (let at = from; at < to; ) {
      const bytes: Uint8Array = await ahead;
      if (bytes.byteLength === 0) return;
      at += bytes.byteLength;
      ahead = readAt(file, at, to);
      yield bytes;
    }
  } finally {
    await ahead?.catch(() => undefined);
    await file.close();
  }
}

async function readAt(file: FileHandle, at: number, to: number): Promise<Uint8Array> {
  const length = Math.min(readBytes, to - at);
  if (length <= 0) return new Uint8Array();
  const buffer = Buffer.allocUnsafeSlow(length);
  const { bytesRead } = await file.read(buffer, 0, length, at);
  return buffer.subarray(0, bytesRead);
}

/** The modification time stands for the last access; files never change. */
async function touch(path: string, file: FileHandle): Promise<void> {
  const now = new Date();
  const { mtimeMs } = await file.stat();
  if (now.getTime() - mtimeMs < touchMs) return;
  try {
    await utimes(path, now, now);
  } catch (error) {
    // Dropped meanwhile: who has it open reads on.
    if (!isErrno(error, "ENOENT")) throw error;
  }
}
