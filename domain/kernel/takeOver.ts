import { appendSurely } from "./appendSurely.ts";
import { changesOfCommit } from "./changesOfCommit.ts";
import { type CommitHead, decodeCommit, encodeCommit, hashCommit } from "./commit.ts";
import type { ContextModel } from "./event.ts";
import { FactView, type FactViewOptions } from "./factView.ts";
import type { Checkpoint, FactSource, Lane, Vault } from "./ports.ts";
import { sealedKeyIds } from "./sealing.ts";
import type { AppendStep, Step } from "./steps.ts";

/** Where a writer stands. */
export interface WriterPosition {
  readonly n: number;
  readonly hash: string;
  /** The instant of commit `n`, in milliseconds. */
  readonly atMs: number;
}

/** A lane that was taken over. */
export interface Taken {
  readonly term: number;
  /** The take-over commit. */
  readonly at: WriterPosition;
  /** The instant of the commit before it, in milliseconds; negative infinity when there is none. */
  readonly beforeMs: number;
}

export interface TakeOverOptions {
  readonly lane: Lane;
  readonly source: FactSource;
  readonly vault: Vault;
  readonly model: ContextModel;
  /** The id of this writer. */
  readonly writer: string;
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** The version of facts that this code understands; tables filled by another one are refused. */
  readonly factsVersion?: string;
  readonly view?: Partial<FactViewOptions>;
  readonly step?: Step<AppendStep>;
}

/** The lane was taken by somebody else in the same moment, or its clock and ours disagree. @public */
export class TakeOverFailed extends Error {
  readonly code = "TakeOverFailed";
}

/**
 * A writer's first act: a commit without entries whose term is one higher. Once it is acknowledged no older append can
 * land. All that may fail is done before, so that a writer that works is thrown out only by one that can take its place:
 * the clock is compared, the tail after the projector's checkpoint is read into a view.
 */
export async function takeOver(options: TakeOverOptions): Promise<Taken & { readonly view: FactView }> {
  const { lane, source, model } = options;
  await checkClock(lane, options.now);
  const { checkpoint } = await source.load(lane.id, []);
  const before = await lane.lastNumber();
  refuseStrangeTables(checkpoint, before, options);
  const { epoch } = lane;
  const version = options.factsVersion && { factsVersion: options.factsVersion };
  const view = new FactView(checkpoint, {
    ...options.view,
    ...version,
    lane: lane.id,
    epoch,
    source,
    tables: model.tables,
  });
  await readTail(options, view, before);
  await options.step?.("append.tailRead");
  const taken = await appendTakeOver(options);
  await options.step?.("append.takenOver");
  await readTail(options, view, taken.at.n);
  return { ...taken, view };
}

/** Against a writer that goes on appending it takes several tries to be the one whose number is next. */
async function appendTakeOver(options: TakeOverOptions): Promise<Taken> {
  const { lane, now, writer, signal, step } = options;
  for (let attempt = 1; attempt <= maxAttempts && !signal.aborted; attempt++) {
    const last = await lane.lastNumber();
    const previous = last === 0 ? undefined : (await lane.readAt(last))?.bytes;
    if (last > 0 && previous === undefined) continue;
    const before = previous && decodeCommit(previous);
    const atMs = Math.max(now(), before ? Date.parse(before.at) : 0);
    const head: CommitHead = {
      lane: lane.id,
      epoch: lane.epoch,
      n: last + 1,
      term: (before?.term ?? 0) + 1,
      writer,
      prevHash: previous ? hashCommit(previous) : "",
      at: new Date(atMs).toISOString(),
    };
    const bytes = encodeCommit(head, []);
    const outcome = await appendSurely(lane, bytes, head.n, signal, step);
    if (outcome === "stored") {
      const at = { n: head.n, hash: hashCommit(bytes), atMs };
      return { term: head.term, at, beforeMs: before ? Date.parse(before.at) : Number.NEGATIVE_INFINITY };
    }
    if (outcome !== "lost") throw new TakeOverFailed(`the log of ${lane.id} refused the take-over: ${outcome.refused}`);
  }
  throw new TakeOverFailed(`${lane.id} was written by another one all the time while it was to be taken over`);
}

/** Facts from another epoch, from beyond the log, or of another version must not decide anything. */
function refuseStrangeTables(checkpoint: Checkpoint, last: number, { lane, factsVersion }: TakeOverOptions): void {
  if (checkpoint.n === 0) return;
  if (checkpoint.epoch !== lane.epoch || checkpoint.n > last) {
    throw new TakeOverFailed(
      `the read tables stand at ${checkpoint.epoch}:${checkpoint.n}, but ${lane.id} at ${lane.epoch}:${last}; rebuild them`,
    );
  }
  if (factsVersion !== undefined && checkpoint.factsVersion !== factsVersion) {
    throw new TakeOverFailed(
      `the read tables of ${lane.id} were filled by another version; rebuild them with this one`,
    );
  }
}

/**
 * Throws `TakeOverFailed` when this machine's clock and the log's are more than 2 s apart. What the answer took on its way
 * counts for neither.
 */
export async function checkClock(lane: Lane, now: () => number): Promise<void> {
  const asked = now();
  const there = await lane.time();
  const apart = Math.max(asked - there, there - now(), 0);
  if (apart <= maxClockDifferenceMs) return;
  throw new TakeOverFailed(
    `the clock here and that of the log are ${apart} ms apart; 2,000 are allowed: set the clock`,
  );
}

async function readTail(options: TakeOverOptions, view: FactView, to: number): Promise<void> {
  const { lane, vault, model, signal } = options;
  if (view.head >= to) return;
  const stop = new AbortController();
  for await (const batch of lane.read(view.head + 1, AbortSignal.any([stop.signal, signal]))) {
    const commits = batch.map(({ bytes }) => decodeCommit(bytes));
    const keys = await vault.byId(sealedKeyIds(commits, model));
    for (const [index, commit] of commits.entries()) {
      const events = commit.entries.reduce((sum, entry) => sum + entry.events.length, 0);
      const bytes = batch[index]?.bytes.byteLength ?? 0;
      view.commit(commit.n, changesOfCommit(commit, model, keys), { events, bytes });
    }
    if (view.head >= to) stop.abort();
  }
  if (view.head < to) throw new TakeOverFailed(`${lane.id} was given up while its tail was read`);
}

const maxAttempts = 100;
const maxClockDifferenceMs = 2_000;
