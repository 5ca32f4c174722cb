import { hash } from "node:crypto";
import type { LaneId } from "../values/ids.ts";
import type { Json, JsonObject } from "../values/json.ts";
import { type Subject, subjectKinds } from "./event.ts";
import { leafHash, merkleRoot } from "./merkle.ts";

// A stored format. `docs/format.md` shows its golden bytes; whatever changes here needs a new `v`.

/** An event as the log holds it; the sealed fields of `data` are envelopes. */
export interface StoredEvent {
  readonly type: string;
  readonly subject: Subject;
  readonly s?: number;
  readonly m?: number;
  readonly by: string;
  /** 16 random bytes, base64url, so that no event can be guessed from its leaf. */
  readonly salt: string;
  readonly data: JsonObject;
}

/** One accepted command with its events. */
export interface Entry {
  readonly key: { readonly actor: string; readonly id: string };
  readonly kind: string;
  /** HMAC-SHA-256 (hex) under a vault key over the canonical command without its secret fields. */
  readonly digest: string;
  readonly result: Json;
  readonly events: readonly StoredEvent[];
  /** RFC 6962 root (hex) over the stored bytes of the events. */
  readonly root: string;
}

/** What is the same for all entries of a commit. */
export interface CommitHead {
  readonly lane: LaneId;
  /** 32 hex digits. */
  readonly epoch: string;
  /** The number of the commit: the stream's sequence. */
  readonly n: number;
  readonly term: number;
  readonly writer: string;
  /** SHA-256 (hex) of the stored bytes of commit n − 1; empty for the first. */
  readonly prevHash: string;
  /** ISO instant, never before the commit before it. */
  readonly at: string;
}

/** One message of a lane. */
export interface Commit extends CommitHead {
  readonly v: 1;
  readonly entries: readonly Entry[];
}

/** Bounds of one commit. */
export const commitLimits = { entries: 256, bytes: 512 * 1024 } as const;

/** The bytes of an event in its entry: these are what its leaf is the hash of. */
export function encodeEvent(event: StoredEvent): string {
  const { type, subject, s, m, by, salt, data } = event;
  return JSON.stringify({ type, subject: { kind: subject.kind, id: subject.id }, s, m, by, salt, data });
}

/** An entry's text, with its root computed from the events. */
export function encodeEntry(entry: Omit<Entry, "root">): string {
  const events = entry.events.map(encodeEvent);
  const root = merkleRoot(events.map(leafHash));
  const { actor, id } = entry.key;
  const front = JSON.stringify({ key: { actor, id }, kind: entry.kind, digest: entry.digest, result: entry.result });
  return `${front.slice(0, -1)},"events":[${events.join(",")}],"root":"${root}"}`;
}

/** A commit's bytes; `entries` are texts of `encodeEntry`. */
export function encodeCommit(head: CommitHead, entries: readonly string[]): Uint8Array {
  const { lane, epoch, n, term, writer, prevHash, at } = head;
  const front = JSON.stringify({ v: 1, lane, epoch, n, term, writer, prevHash, at });
  return Buffer.from(`${front.slice(0, -1)},"entries":[${entries.join(",")}]}`);
}

/** The hash that chains commits: SHA-256 (hex) of the stored bytes. */
export function hashCommit(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** The bytes are no commit of this version. */
export class CorruptCommit extends Error {
  readonly code = "CorruptCommit";
}

/** A commit's bytes as text. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

/** The commit in these bytes. Throws `CorruptCommit`. */
export function decodeCommit(bytes: Uint8Array): Commit {
  return commitOf(textOf(bytes));
}

/** The commit that this text is. Throws `CorruptCommit`. */
export function commitOf(text: string): Commit {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CorruptCommit("a commit is not JSON", { cause });
  }
  if (!isCommit(value)) throw new CorruptCommit("a commit has not the shape of version 1");
  return value;
}

/** Whether each entry's root is the root over its events. */
export function rootsHold(commit: Commit): boolean {
  return commit.entries.every(
    (entry) => merkleRoot(entry.events.map((event) => leafHash(encodeEvent(event)))) === entry.root,
  );
}

// By hand and not by zod, which copies what it checks: every reader of the log does this for every event, and it was a
// tenth of what the projector costs.
function isCommit(value: unknown): value is Commit {
  return (
    isObject(value) &&
    value.v === 1 &&
    isText(value.lane) &&
    /^(accounts|rooms|content)\.\d{1,4}$/.test(value.lane) &&
    isText(value.epoch) &&
    value.epoch.length === 32 &&
    isCount(value.n) &&
    isCount(value.term) &&
    isText(value.writer) &&
    (value.prevHash === "" || isHash(value.prevHash)) &&
    isText(value.at) &&
    Array.isArray(value.entries) &&
    value.entries.every(isEntry)
  );
}

function isEntry(value: unknown): boolean {
  return (
    isObject(value) &&
    isObject(value.key) &&
    isText(value.key.actor) &&
    isText(value.key.id) &&
    isText(value.kind) &&
    isHash(value.digest) &&
    value.result !== undefined &&
    Array.isArray(value.events) &&
    value.events.every(isEvent) &&
    isHash(value.root)
  );
}

function isEvent(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value.type) &&
    isObject(value.subject) &&
    knownKinds.has(value.subject.kind) &&
    isText(value.subject.id) &&
    (value.s === undefined || isCount(value.s)) &&
    (value.m === undefined || isCount(value.m)) &&
    isText(value.by) &&
    isText(value.salt) &&
    isObject(value.data)
  );
}

const knownKinds: ReadonlySet<unknown> = new Set(subjectKinds);
const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 1;
const isHash = (value: unknown): boolean => isText(value) && value.length === 64;
