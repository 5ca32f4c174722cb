import { createHash } from "node:crypto";
import { NodeError, type NodeErrorCode } from "./errors.ts";
import {
  closeHandle,
  freeBytes,
  fsync,
  type Handle,
  list,
  makeFolder,
  openToRead,
  openToWrite,
  removeFile,
  rename,
  stat,
  statOpen,
} from "./sftpRequests.ts";
import { type SftpSession, StatusError } from "./sftpSession.ts";
import { readRange, type Source, writeAll } from "./transfer.ts";
import { status } from "./wire.ts";

/** What a node's file is, told or read. */
export interface NodeFile {
  readonly name: string;
  readonly size: number;
}

/** Bytes that were read back. */
export interface ReadBack {
  /** SHA-256, 64 hex digits. */
  readonly hash: string;
  readonly size: number;
}

/**
 * A connection to a content node. Names are paths under the node's folder, with `/` between. Everything may be asked side by side;
 * everything open rejects with `NodeCut` as soon as the line dies. All methods throw `NodeError`: besides `NodeCut` and `BadAnswer`,
 * `WrongPath` (nothing there, or no right), `NodeFull`, `NodeFailed`, and what they name.
 */
export interface NodeLink {
  /** Resolves when the connection is over: with what ended it, or nothing after `close`. */
  readonly closed: Promise<NodeError | undefined>;
  /**
   * Writes a file of that name, in place of one that is there, from the source's beginning. It isn't durable before `fsync`. What
   * is left there after a failure is a part of it. Throws RangeError when the source doesn't give `size` bytes.
   * @param opened called once the file is made
   */
  put(name: string, source: Source, size: number, opened?: () => void | Promise<void>): Promise<void>;
  /** Makes a file, or the names in a folder, durable. False when the node can't promise that. */
  fsync(name: string): Promise<boolean>;
  /**
   * Reads a file up to `size` (default: the end that the node tells) and hashes it here: what the node says of its bytes counts for
   * nothing.
   */
  hash(name: string, size?: number): Promise<ReadBack>;
  /** The bytes from `from` (default 0) up to, not including, `to` (default: the end). `WrongBytes` when it ends before `to`. */
  read(name: string, from?: number, to?: number): AsyncGenerator<Uint8Array, void>;
  /** Undefined when there is no such file. */
  stat(name: string): Promise<NodeFile | undefined>;
  /** The files in a folder. */
  list(folder: string): Promise<readonly NodeFile[]>;
  /** At one stroke, in place of a file of the new name. */
  rename(from: string, to: string): Promise<void>;
  /** Nothing happens when there is no such file. */
  remove(name: string): Promise<void>;
  /** Undefined when the node doesn't tell. */
  freeBytes(): Promise<number | undefined>;
  /** Ends the connection; what is open is rejected with `NodeCut`. May be called again. */
  close(): Promise<void>;
}

/** The folders that a node's folder holds: the blobs, and what is on its way to become one. */
export const nodeFolders = { blobs: "blobs", temporary: ".tmp" } as const;

/** What the link stands on. */
export interface LinkParts {
  readonly session: SftpSession;
  /** The node's folder. */
  readonly path: string;
  /** Requests of 32 KiB under way for one transfer. */
  readonly window: number;
  readonly closed: Promise<NodeError | undefined>;
  close(): Promise<void>;
}

/**
 * The link over a session, once the node's folder is there, can be entered, and has its folders.
 * @throws NodeError `WrongPath` when it isn't or can't
 */
export async function nodeLink(parts: LinkParts): Promise<NodeLink> {
  const { session, path, window, closed, close } = parts;
  const at = (name: string) => `${path}/${safe(name)}`;
  /** Runs one operation; what the node reports becomes a NodeError. */
  const doing = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      throw error instanceof StatusError ? await reported(parts, what, error) : error;
    }
  };
  /** Opens, runs and closes whatever happens. A close that fails after all went well fails the whole. */
  const withHandle = async <T>(opening: Promise<Handle>, run: (handle: Handle) => Promise<T>): Promise<T> => {
    const handle = await opening;
    let result: T;
    try {
      result = await run(handle);
    } catch (error) {
      await closeHandle(session, handle).catch(() => undefined);
      throw error;
    }
    await closeHandle(session, handle);
    return result;
  };
  const link: NodeLink = {
    closed,
    put: (name, source, size, opened) =>
      doing(`write ${name}`, () =>
        withHandle(openToWrite(session, at(name)), async (handle) => {
          await opened?.();
          await writeAll(session, handle, { source, size, window });
        }),
      ),
    fsync: (name) =>
      doing(`make ${name} durable`, () =>
        withHandle(openToRead(session, at(name)), (handle) => fsync(session, handle)),
      ),
    async hash(name, to) {
      const sum = createHash("sha256");
      let size = 0;
      for await (const piece of link.read(name, 0, to)) {
        sum.update(piece);
        size += piece.length;
      }
      return { hash: sum.digest("hex"), size };
    },
    async *read(name, from = 0, to) {
      const handle = await doing(`read ${name}`, () => openToRead(session, at(name)));
      try {
        const end = to ?? (await doing(`read ${name}`, () => statOpen(session, handle))).size ?? 0;
        const pieces = readRange(session, handle, { from, to: end, window });
        for (;;) {
          const { done, value } = await doing(`read ${name}`, () => pieces.next());
          if (done === true) return;
          yield value;
        }
      } finally {
        closeHandle(session, handle).catch(() => undefined);
      }
    },
    async stat(name) {
      const found = await doing(`look at ${name}`, () => stat(session, at(name)));
      return found === undefined ? undefined : { name, size: found.size ?? 0 };
    },
    async list(folder) {
      const listed = await doing(`list ${folder}`, () => list(session, at(folder)));
      return listed.flatMap(({ name, size, isFolder }) => (isFolder === true ? [] : [{ name, size: size ?? 0 }]));
    },
    rename: (from, to) => doing(`rename ${from}`, () => rename(session, at(from), at(to))),
    remove: (name) => doing(`remove ${name}`, () => removeFile(session, at(name))),
    freeBytes: () => doing("look at its disk", () => freeBytes(session, path)),
    close,
  };
  await doing(`use ${path}`, () => makeFolders(parts));
  return link;
}

async function makeFolders({ session, path }: LinkParts): Promise<void> {
  const folders = Object.values(nodeFolders).map((name) => `${path}/${name}`);
  // Those that are there already are refused; whether all are there shows right after.
  for (const folder of folders) makeFolder(session, folder).catch(() => undefined);
  const found = await Promise.all([path, ...folders].map((folder) => stat(session, folder)));
  const missing = [path, ...folders].find((_, index) => found[index]?.isFolder !== true);
  if (missing !== undefined)
    throw new NodeError("WrongPath", `${missing} is no folder on the node, and can't be made.`);
}

// A disk with less than this is full, whatever else may have failed.
const fullBelowBytes = 1024 * 1024;

async function reported(parts: LinkParts, what: string, cause: StatusError): Promise<NodeError> {
  const failed = (code: NodeErrorCode) => new NodeError(code, `The node could not ${what}: ${cause.message}`, cause);
  switch (cause.status) {
    case status.noSuchFile:
    case status.permissionDenied:
      return failed("WrongPath");
    case status.noSpace:
    case status.quotaExceeded:
      return failed("NodeFull");
    case status.noConnection:
    case status.connectionLost:
      return failed("NodeCut");
    case status.failure: {
      if (/no space left|quota/i.test(cause.message)) return failed("NodeFull");
      // OpenSSH says no more than that it failed.
      const free = await freeBytes(parts.session, parts.path).catch(() => undefined);
      return failed(free !== undefined && free < fullBelowBytes ? "NodeFull" : "NodeFailed");
    }
    default:
      return failed("NodeFailed");
  }
}

// Names are ours; one that leads out of the node's folder is a bug.
function safe(name: string): string {
  if (name === "" || name.split("/").some((part) => part === "" || part === "..") || name.includes("\0")) {
    throw new TypeError(`"${name}" is no name on a node.`);
  }
  return name;
}
