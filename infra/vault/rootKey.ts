import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { RootKeyUnusable } from "./errors.ts";

/** The key that wraps all others. */
export interface RootKey {
  /** 16 hex digits, a part of its hash; stands beside what it wraps. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

const keyText = /^[0-9a-f]{64}\n$/;

/** The root key in the file at `path`, or undefined when there is no file. Throws `RootKeyUnusable`. */
export function readRootKey(path: string): RootKey | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile())
    throw new RootKeyUnusable(`${path} is no regular file; the root key of the vault must lie there`);
  if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8);
    throw new RootKeyUnusable(`others than its owner may use ${path} (mode ${mode}): chmod 600 ${path}`);
  }
  const text = readFileSync(path, "utf8");
  if (!keyText.test(text)) throw new RootKeyUnusable(`${path} does not hold a root key: 64 hex digits and a line feed`);
  return rootKeyOf(Buffer.from(text.trim(), "hex"));
}

/**
 * Makes a root key and has it durable in a 0600 file at `path` before it returns. When another process makes one in the
 * same moment, one of the two keys lies there in the end, and both get that one.
 */
export function makeRootKey(path: string): RootKey {
  const draft = `${path}.${randomBytes(6).toString("hex")}.new`;
  const file = openSync(draft, "wx", 0o600);
  try {
    writeSync(file, `${randomBytes(32).toString("hex")}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    // Unlike a rename a link never replaces what is there, and the file is whole from its first moment.
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    rmSync(draft);
  }
  syncFolder(dirname(path));
  const root = readRootKey(path);
  if (root === undefined) throw new RootKeyUnusable(`${path} vanished while it was being made`);
  return root;
}

/** Puts `root` in the place of whatever lies at `path`: the old content or the new, never a part. */
export function replaceRootKey(path: string, { bytes }: RootKey): void {
  const draft = `${path}.${randomBytes(6).toString("hex")}.new`;
  const file = openSync(draft, "wx", 0o600);
  try {
    writeSync(file, `${Buffer.from(bytes).toString("hex")}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  syncFolder(dirname(path));
}

function rootKeyOf(bytes: Uint8Array): RootKey {
  return { id: createHash("sha256").update("root key").update(bytes).digest("hex").slice(0, 16), bytes };
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  fsyncSync(folder);
  closeSync(folder);
}
