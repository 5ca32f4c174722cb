import { createHash } from "node:crypto";
import type { LaneId } from "../values/ids.ts";
import { canonicalJson, type JsonObject } from "../values/json.ts";
import { type Commit, type Entry, encodeCommit, encodeEntry } from "./commit.ts";
import { derivedId } from "./derivedId.ts";

// A stored format. `docs/format.md` shows its golden bytes; a change needs `EpochBegan.v2`.

/**
 * The event by which a lane goes on in another epoch. Its data is `{epoch, prevEpoch, at}`: both epochs, and the number of the last
 * commit of the former one, 0 when there was none. It is of every context, changes no row and nobody is told of it.
 */
export const epochBeganType = "EpochBegan.v1";

/** The kind of its entry. It is no client's command: its key leaves no row either. */
const entryKind = "beginEpoch";

/** What the commit that begins an epoch follows on. */
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

/** The bytes of the first commit of `epoch`. Its term is one higher, as in any take-over; `salt` is 16 random bytes. */
export function encodeEpochBegan(end: EpochEnd, epoch: string, salt: Uint8Array): Uint8Array {
  const { lane, n, hash, term, nowMs } = end;
  const subject = { kind: "lane" as const, id: lane };
  const data: JsonObject = { epoch, prevEpoch: end.epoch, at: n };
  const command = canonicalJson({ kind: entryKind, subject: lane, data });
  const entry = encodeEntry({
    key: { actor: actor, id: derivedId(nowMs, entryKind, lane, epoch) },
    kind: entryKind,
    digest: createHash("sha256").update(command).digest("hex"),
    result: null,
    events: [{ type: epochBeganType, subject, by: actor, salt: Buffer.from(salt).toString("base64url"), data }],
  });
  const at = new Date(nowMs).toISOString();
  return encodeCommit({ lane, epoch, n: n + 1, term: term + 1, writer: "restore", prevHash: hash, at }, [entry]);
}

/** Whether an entry begins an epoch, instead of being somebody's command. */
export function beginsEpoch(entry: Pick<Entry, "kind">): boolean {
  return entry.kind === entryKind;
}

/** What is wrong with the epoch of a commit that follows one of epoch `before` (undefined for none known), if anything. */
export function epochFault(commit: Commit, before: string | undefined): string | undefined {
  const began = commit.entries.find(beginsEpoch)?.events.find(({ type }) => type === epochBeganType)?.data;
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
