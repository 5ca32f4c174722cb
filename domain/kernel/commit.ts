import { createHash } from "node:crypto";
import * as z from "zod";
import type { LaneId } from "../values/ids.ts";
import type { Json, JsonObject } from "../values/json.ts";
import type { Subject } from "./event.ts";
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
  const root = merkleRoot(events.map(leafHash)).toString("hex");
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
  return createHash("sha256").update(bytes).digest("hex");
}

/** The bytes are no commit of this version. */
export class CorruptCommit extends Error {
  readonly code = "CorruptCommit";
}

/** The commit in these bytes. Throws `CorruptCommit`. */
export function decodeCommit(bytes: Uint8Array): Commit {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch (cause) {
    throw new CorruptCommit("a commit is not JSON", { cause });
  }
  const checked = CommitShape.safeParse(parsed);
  if (!checked.success)
    throw new CorruptCommit(`a commit has not the shape of version 1: ${z.prettifyError(checked.error)}`);
  return checked.data as Commit;
}

/** Whether each entry's root is the root over its events. */
export function rootsHold(commit: Commit): boolean {
  return commit.entries.every(
    (entry) => merkleRoot(entry.events.map((event) => leafHash(encodeEvent(event)))).toString("hex") === entry.root,
  );
}

const Hash = z.string().length(64);
const EventShape = z.object({
  type: z.string(),
  subject: z.object({ kind: z.enum(["account", "room"]), id: z.string() }),
  s: z.int().min(1).optional(),
  m: z.int().min(1).optional(),
  by: z.string(),
  salt: z.string(),
  data: z.record(z.string(), z.unknown()),
});
const CommitShape = z.object({
  v: z.literal(1),
  lane: z.templateLiteral([z.enum(["accounts", "rooms"]), ".", z.int()]),
  epoch: z.string().length(32),
  n: z.int().min(1),
  term: z.int().min(1),
  writer: z.string(),
  prevHash: z.union([Hash, z.literal("")]),
  at: z.string(),
  entries: z.array(
    z.object({
      key: z.object({ actor: z.string(), id: z.string() }),
      kind: z.string(),
      digest: Hash,
      result: z.unknown(),
      events: z.array(EventShape),
      root: Hash,
    }),
  ),
});
