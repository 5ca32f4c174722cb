import { appendSurely } from "./appendSurely.ts";
import { changesOfCommit } from "./changesOfCommit.ts";
import { type CommitHead, decodeCommit, encodeCommit, hashCommit } from "./commit.ts";
import type { ContextModel } from "./event.ts";
import { FactView, type FactViewOptions } from "./factView.ts";
import type { Checkpoint, FactSource, Lane, Vault } from "./ports.ts";
import { sealedKeyIds } from "./sealing.ts";

/** Where a writer stands. */
export interface WriterPosition {
  readonly n: number;
  readonly hash: string;
  /** The instant of commit `n`, in milliseconds. */
  readonly atMs: number;
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
}

/** The lane was taken by somebody else in the same moment, or its clock and ours disagree. @public */
export class TakeOverFailed extends Error {
  readonly code = "TakeOverFailed";
}

/**
 * A writer's first act: a commit without entries whose term is one higher. Once it is acknowledged no older append can
 * land. Then reads the tail after the projector's checkpoint into a view.
 */
export async function takeOver(
  options: TakeOverOptions,
): Promise<{ term: number; at: WriterPosition; view: FactView }> {
  const { lane, source, model } = options;
  const { checkpoint } = await source.load(lane.id, []);
  const last = await lane.lastNumber();
  refuseStrangeTables(checkpoint, last, options);
  const previous = last === 0 ? undefined : (await lane.readAt(last))?.bytes;
  if (last > 0 && previous === undefined) throw new TakeOverFailed(`${lane.id} moved on while it was being taken over`);
  const before = previous && decodeCommit(previous);
  const atMs = Math.max(options.now(), before ? Date.parse(before.at) : 0);
  const head: CommitHead = {
    lane: lane.id,
    epoch: lane.epoch,
    n: last + 1,
    term: (before?.term ?? 0) + 1,
    writer: options.writer,
    prevHash: previous ? hashCommit(previous) : "",
    at: new Date(atMs).toISOString(),
  };
  const bytes = encodeCommit(head, []);
  const outcome = await appendSurely(lane, bytes, head.n, options.signal);
  if (outcome !== "stored") throw new TakeOverFailed(`${lane.id} could not be taken over: ${JSON.stringify(outcome)}`);
  await checkClock(lane, head.n, atMs);
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
  await readTail(options, view, head.n);
  return { term: head.term, at: { n: head.n, hash: hashCommit(bytes), atMs }, view };
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

/** Throws when this machine's clock is more than 2 s off the log's own time of commit `n`. */
export async function checkClock(lane: Lane, n: number, atMs: number): Promise<void> {
  const stored = await lane.readAt(n);
  const apart = stored === undefined ? 0 : Math.abs(stored.storedAt - atMs);
  if (apart > maxClockDifferenceMs) {
    throw new TakeOverFailed(
      `the clock here and that of the log are ${apart} ms apart; 2,000 are allowed: set the clock`,
    );
  }
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

const maxClockDifferenceMs = 2_000;
