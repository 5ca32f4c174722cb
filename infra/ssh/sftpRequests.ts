import { NodeError } from "./errors.ts";
import { type Expected, type SftpSession, StatusError } from "./sftpSession.ts";
import { type Attributes, openFlag, type PacketReader, packet, status } from "./wire.ts";

// One function for each request; all of them throw what `SftpSession.request` does.

/** A file or folder that the server holds open. */
export type Handle = Uint8Array;

/** One name in a folder. */
export interface Listed extends Attributes {
  readonly name: string;
}

/** OpenSSH's handles have 4 bytes; the draft allows 256. */
const maxHandleBytes = 256;
/** No file system has longer names; a folder of ours never holds as many. */
const maxNameLength = 255;
const mostNames = 100_000;

const done: Expected<void> = { type: packet.status, parse: () => undefined };
const aHandle: Expected<Handle> = {
  type: packet.handle,
  parse(answer) {
    const handle = answer.bytes();
    if (handle.length > maxHandleBytes) throw new NodeError("BadAnswer", "The node's handle is too long.");
    return handle;
  },
};
const attributes: Expected<Attributes> = { type: packet.attrs, parse: (answer) => answer.attributes() };

/** Opens a file for reading; a folder too where the server's system lets it. */
export function openToRead(session: SftpSession, path: string): Promise<Handle> {
  return session.request(packet.open, [path, openFlag.read, 0], aHandle);
}

/** Opens an empty file for writing, in place of one that is there; only its owner may read it. */
export function openToWrite(session: SftpSession, path: string): Promise<Handle> {
  const flags = openFlag.write | openFlag.create | openFlag.truncate;
  // Attributes: permissions alone.
  return session.request(packet.open, [path, flags, 4, 0o600], aHandle);
}

export function closeHandle(session: SftpSession, handle: Handle): Promise<void> {
  return session.request(packet.close, [handle], done);
}

export function write(session: SftpSession, handle: Handle, offset: number, bytes: Uint8Array): Promise<void> {
  return session.request(packet.write, [handle, BigInt(offset), bytes], done);
}

/** Up to `length` bytes from `offset`; fewer where the server likes, none at the end of the file. */
export async function read(session: SftpSession, handle: Handle, offset: number, length: number): Promise<Uint8Array> {
  const parse = (answer: PacketReader) => {
    const bytes = answer.bytes();
    if (bytes.length > length) throw new NodeError("BadAnswer", "The node sent more than was asked for.");
    return bytes;
  };
  return (
    (await unless(
      status.eof,
      session.request(packet.read, [handle, BigInt(offset), length], { type: packet.data, parse }),
    )) ?? new Uint8Array(0)
  );
}

export function statOpen(session: SftpSession, handle: Handle): Promise<Attributes> {
  return session.request(packet.fstat, [handle], attributes);
}

/** What is at a path; `undefined` when nothing is. */
export function stat(session: SftpSession, path: string): Promise<Attributes | undefined> {
  return unless(status.noSuchFile, session.request(packet.stat, [path], attributes));
}

/** Removes a file; nothing happens when it isn't there. */
export function removeFile(session: SftpSession, path: string): Promise<void> {
  return unless(status.noSuchFile, session.request(packet.remove, [path], done));
}

/** Makes a folder for its owner alone. */
export function makeFolder(session: SftpSession, path: string): Promise<void> {
  return session.request(packet.mkdir, [path, 4, 0o700], done);
}

/** Gives a file another name, in place of the one that has it: at one stroke where the server can. */
export async function rename(session: SftpSession, from: string, to: string): Promise<void> {
  if (session.has("posix-rename@openssh.com")) {
    await session.request(packet.extended, ["posix-rename@openssh.com", from, to], done);
    return;
  }
  // The draft's own rename refuses a name that is taken.
  await removeFile(session, to);
  await session.request(packet.rename, [from, to], done);
}

/** Makes what was written durable; false when the server can't. */
export async function fsync(session: SftpSession, handle: Handle): Promise<boolean> {
  if (!session.has("fsync@openssh.com")) return false;
  await session.request(packet.extended, ["fsync@openssh.com", handle], done);
  return true;
}

/** How many bytes the account may still write; `undefined` when the server doesn't tell. */
export async function freeBytes(session: SftpSession, path: string): Promise<number | undefined> {
  if (!session.has("statvfs@openssh.com", "2")) return undefined;
  const parse = (answer: PacketReader) => {
    // f_bsize, f_frsize, f_blocks, f_bfree, f_bavail.
    const [, fragment = 0, , , available = 0] = Array.from({ length: 5 }, () => answer.uint64());
    return fragment * available;
  };
  return session.request(packet.extended, ["statvfs@openssh.com", path], { type: packet.extendedReply, parse });
}

/** The names in a folder, in the server's order, without `.` and `..`; at most `maxNames`, for all of them are held. */
export async function list(session: SftpSession, path: string, maxNames = mostNames): Promise<readonly Listed[]> {
  const handle = await session.request(packet.opendir, [path], aHandle);
  const all: Listed[] = [];
  try {
    for (;;) {
      const some = await unless(
        status.eof,
        session.request(packet.readdir, [handle], { type: packet.name, parse: names }),
      );
      if (some === undefined) return all;
      all.push(...some.filter(({ name }) => name !== "." && name !== ".."));
      if (all.length > maxNames) throw new NodeError("BadAnswer", `${path} on the node holds too many names.`);
    }
  } finally {
    closeHandle(session, handle).catch(() => undefined);
  }
}

function names(answer: PacketReader): readonly Listed[] {
  const listed: Listed[] = [];
  const count = answer.uint32();
  for (let i = 0; i < count; i++) {
    const name = answer.text();
    if (name.length > maxNameLength || /[/\0]/.test(name))
      throw new NodeError("BadAnswer", "The node lists what is no name.");
    // The line of `ls -l`, for eyes only.
    answer.bytes();
    listed.push({ name, ...answer.attributes() });
  }
  if (listed.length === 0) throw new NodeError("BadAnswer", "The node lists nothing and doesn't end.");
  return listed;
}

// What the request gives, or nothing for that one status.
async function unless<T>(code: number, request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof StatusError && error.status === code) return undefined;
    throw error;
  }
}
