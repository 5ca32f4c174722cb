import { createHash } from "node:crypto";
import type { LaneId } from "../values/ids.ts";
import { canonicalJson, type JsonObject } from "../values/json.ts";
import { type Commit, decodeCommit, type Entry, encodeCommit, encodeEntry } from "./commit.ts";
import { derivedId } from "./derivedId.ts";

// A stored format. `docs/format.md` shows its golden bytes; a change needs `EpochBegan.v2` or `EpochClosed.v2`.

/**
 * The event by which a lane goes on in another epoch. Its data is `{epoch, prevEpoch, at}`: both epochs, and the number of the last
 * commit of the former one, 0 when there was none. It is of every context, changes no row and nobody is told of it.
 */
export const epochBeganType = "EpochBegan.v1";

/**
 * The event that ends an epoch, in its last commit. Its data is `{epoch, next}`: the lane goes on in the epoch `next`, and nobody may
 * write to this one any more. Of every context too.
 */
export const epochClosedType = "EpochClosed.v1";

/** The kinds of their entries. They are no client's commands: their keys leave no row either. */
const entryKinds: Readonly<Record<string, string>> = {
  [epochBeganType]: "beginEpoch",
  [epochClosedType]: "closeEpoch",
};

/** What a commit that begins or closes an epoch follows on. */
export interface EpochEnd {
  readonly lane: LaneId;
  /** The number and the hash of the last commit; 0 and empty for none. */
  readonly n: number;
  readonly hash: string;
  readonly epoch: string;
  readonly term: number;
  /** The instant of the new commit in milliseconds; not before that of the last one. */
  readonly nowMs: number;
}

/**
 * The bytes of the first commit of `epoch`, by a restore or, after an epoch that was closed, by an archive. Its term is one higher, as
 * in any take-over; `salt` is 16 random bytes.
 */
export function encodeEpochBegan(end: EpochEnd, epoch: string, salt: Uint8Array, writer = "restore"): Uint8Array {
  return encodeTurn({ ...end, writer }, epoch, salt, {
    type: epochBeganType,
    data: { epoch, prevEpoch: end.epoch, at: end.n },
  });
}

/** The bytes of the last commit of the present epoch; its term is one higher too, so that it takes the lane from its writer. */
export function encodeEpochClosed(end: EpochEnd, next: string, salt: Uint8Array): Uint8Array {
  const data = { epoch: end.epoch, next };
  return encodeTurn({ ...end, writer: "archive" }, end.epoch, salt, { type: epochClosedType, data });
}

function encodeTurn(
  { lane, n, hash, term, nowMs, writer }: EpochEnd & { readonly writer: string },
  epoch: string,
  salt: Uint8Array,
  { type, data }: { readonly type: string; readonly data: JsonObject },
): Uint8Array {
  const kind = entryKinds[type] ?? "";
  const subject = { kind: "lane" as const, id: lane };
  const command = canonicalJson({ kind, subject: lane, data });
  const entry = encodeEntry({
    key: { actor, id: derivedId(nowMs, kind, lane, epoch) },
    kind,
    digest: createHash("sha256").update(command).digest("hex"),
    result: null,
    events: [{ type, subject, by: actor, salt: Buffer.from(salt).toString("base64url"), data }],
  });
  const at = new Date(nowMs).toISOString();
  return encodeCommit({ lane, epoch, n: n + 1, term: term + 1, writer, prevHash: hash, at }, [entry]);
}

/** Whether an entry begins or closes an epoch, instead of being somebody's command. */
export function turnsEpoch(entry: Pick<Entry, "kind">): boolean {
  return Object.values(entryKinds).includes(entry.kind);
}

/** The epoch that the lane goes on in after this commit; undefined for one that closes none. */
export function closedFor(commit: Commit): string | undefined {
  const next = turnOf(commit, epochClosedType)?.next;
  return typeof next === "string" ? next : undefined;
}

/** Whether these stored bytes, most of which need not be parsed for it, close `epoch`. A restored lane has closed epochs in its midst. */
export function closesEpoch(bytes: Uint8Array, epoch: string): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!text.includes(`"type":"${epochClosedType}"`)) return false;
  const commit = decodeCommit(text);
  return commit.epoch === epoch && closedFor(commit) !== undefined;
}

function turnOf(commit: Commit, type: string): JsonObject | undefined {
  return commit.entries.find(turnsEpoch)?.events.find((event) => event.type === type)?.data;
}

/** What is wrong with the epoch of a commit that follows one of epoch `before` (undefined for none known), if anything. */
export function epochFault(commit: Commit, before: string | undefined): string | undefined {
  const began = turnOf(commit, epochBeganType);
  if (began === undefined) {
    return before === undefined || commit.epoch === before ? undefined : `it says that it is of epoch ${commit.epoch}`;
  }
  if (began.epoch !== commit.epoch) return `it begins epoch ${String(began.epoch)}, but is of ${commit.epoch}`;
  if (began.at !== commit.n - 1) return `it begins an epoch after commit ${String(began.at)}`;
  if (before !== undefined && began.prevEpoch !== before)
    return `it ends epoch ${String(began.prevEpoch)}, not ${before}`;
  return undefined;
}

const actor = "operator";
