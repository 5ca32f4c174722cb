import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { LaneId } from "../values/ids.ts";
import type { Commit } from "./commit.ts";
import { leafHash } from "./merkle.ts";
import { MerkleTree } from "./merkleTree.ts";

// A stored format. `docs/format.md` shows its golden bytes; whatever changes here needs a new `v`.

/** What the log says of itself at one moment, signed: a lane's last commit, and the root over all its entries. */
export interface SignedHead {
  readonly v: 1;
  readonly lane: LaneId;
  /** 32 hex digits. */
  readonly epoch: string;
  /** The number of the last commit, and the SHA-256 (hex) of its bytes. */
  readonly n: number;
  readonly hash: string;
  /** When it was signed, an ISO instant. */
  readonly at: string;
  /** How many entries the commits 1 … n have, and the root (hex) of the tree over them. */
  readonly size: number;
  readonly tree: string;
  /** The peaks of that tree, so that the next head needs no earlier commit. */
  readonly peaks: readonly string[];
  /** The public key: Ed25519, 32 bytes, base64url. */
  readonly key: string;
  /** The signature over the text without it, base64url. */
  readonly sig: string;
}

/** The leaf of an entry in its lane's tree: its commit, its place there, its root. */
export function entryLeaf(n: number, index: number, root: string): string {
  return leafHash(`[${n},${index},"${root}"]`);
}

/** Adds the entries of the next commit. */
export function addEntries(tree: MerkleTree, { n, entries }: Pick<Commit, "n" | "entries">): void {
  for (const [index, { root }] of entries.entries()) tree.add(entryLeaf(n, index, root));
}

/** A key to sign with, and how it is told. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  /** As in `SignedHead.key`. */
  readonly publicKey: string;
}

/** The signing key in this Ed25519 key. Throws a `TypeError` for another kind. */
export function signingKeyOf(privateKey: KeyObject): SigningKey {
  const { kty, crv, x } = createPublicKey(privateKey).export({ format: "jwk" });
  if (kty !== "OKP" || crv !== "Ed25519" || x === undefined) throw new TypeError("not an Ed25519 key");
  return { privateKey, publicKey: x };
}

/** Signs where a lane is. */
export function signHead(
  at: Pick<SignedHead, "lane" | "epoch" | "n" | "hash" | "at">,
  tree: MerkleTree,
  { privateKey, publicKey }: SigningKey,
): SignedHead {
  const unsigned = { v: 1 as const, ...at, size: tree.size, tree: tree.root, peaks: tree.peaks, key: publicKey };
  return { ...unsigned, sig: sign(null, Buffer.from(signedText(unsigned)), privateKey).toString("base64url") };
}

/** A head's bytes. */
export function encodeHead(head: SignedHead): Uint8Array {
  return Buffer.from(`${signedText(head).slice(0, -1)},"sig":"${head.sig}"}`);
}

/** The text is no signed head of this version, or was altered after it was signed. */
export class CorruptHead extends Error {
  readonly code = "CorruptHead";
}

/** The head in this JSON value, whose signature and peaks hold. Throws `CorruptHead`. */
export function readHead(value: unknown): SignedHead {
  if (!isHead(value)) throw new CorruptHead("it has not the shape of a signed head of version 1");
  const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: value.key } });
  if (!verify(null, Buffer.from(signedText(value)), key, Buffer.from(value.sig, "base64url")))
    throw new CorruptHead("its signature does not fit: it was altered after it was signed");
  let tree: string;
  try {
    tree = new MerkleTree(value.size, value.peaks).root;
  } catch (cause) {
    throw new CorruptHead("its peaks do not fit its size", { cause });
  }
  if (tree !== value.tree) throw new CorruptHead("its peaks do not fit its tree");
  return value;
}

function signedText({ v, lane, epoch, n, hash, at, size, tree, peaks, key }: Omit<SignedHead, "sig">): string {
  return JSON.stringify({ v, lane, epoch, n, hash, at, size, tree, peaks, key });
}

function isHead(value: unknown): value is SignedHead {
  if (typeof value !== "object" || value === null) return false;
  const it: Partial<Record<keyof SignedHead, unknown>> = value;
  const isText = (text: unknown, pattern: RegExp): boolean => typeof text === "string" && pattern.test(text);
  const isCount = (count: unknown): boolean => Number.isSafeInteger(count) && Number(count) >= 0;
  return (
    it.v === 1 &&
    isText(it.lane, /^(accounts|rooms|content)\.\d{1,4}$/) &&
    isText(it.epoch, /^[0-9a-f]{32}$/) &&
    isText(it.hash, hashPattern) &&
    isText(it.at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/) &&
    isText(it.tree, hashPattern) &&
    isText(it.key, /^[\w-]{43}$/) &&
    isText(it.sig, /^[\w-]{86}$/) &&
    isCount(it.n) &&
    isCount(it.size) &&
    Array.isArray(it.peaks) &&
    it.peaks.every((peak) => isText(peak, hashPattern))
  );
}

const hashPattern = /^[0-9a-f]{64}$/;
