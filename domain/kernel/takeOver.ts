import { appendSurely } from "./appendSurely.ts";
import { type Commit, type CommitHead, decodeCommit, encodeCommit, hashCommit } from "./commit.ts";
import { closedFor } from "./epochBegan.ts";
import type { ContextModel } from "./event.ts";
import { FactView, type FactViewOptions } from "./factView.ts";
import { type Checkpoint, type FactSource, FactsOfAnotherVersion, isOfLane, type Lane, type Vault } from "./ports.ts";
import type { AppendStep, Step } from "./steps.ts";
import { TailReader } from "./tailReader.ts";

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
  const { checkpoint, parked } = await source.load(lane.id, []);
  const before = await lane.lastNumber();
  refuseStrangeTables(checkpoint, before, options);
  const { epoch } = lane;
  const version = options.factsVersion && { factsVersion: options.factsVersion };
  const view = new FactView(checkpoint, {
    ...options.view,
    ...version,
    lane: lane.id,
    epoch,
    past: lane.past ?? [],
    source,
    tables: model.tables,
    parked,
  });
  const tail = new TailReader(view, options);
  try {
    await readUpTo(before, tail, lane);
    await options.step?.("append.tailRead");
    const taken = await appendTakeOver(options, tail);
    await options.step?.("append.takenOver");
    await readUpTo(taken.at.n, tail, lane);
    return { ...taken, view };
  } finally {
    await tail.close();
  }
}

async function readUpTo(n: number, tail: TailReader, lane: Lane): Promise<void> {
  if (!(await tail.folded(n))) throw new TakeOverFailed(`${lane.id} was given up while its tail was read`);
}

/**
 * Against a writer that goes on appending it takes several tries to be the one whose number is next. Each is made at the moment in which
 * a commit of the other one is read: about when that one hears of it, and it has yet to decide what comes next.
 */
async function appendTakeOver(options: TakeOverOptions, tail: TailReader): Promise<Taken> {
  const { lane, now, signal, step } = options;
  const giveUpAt = performance.now() + maxRaceMs;
  let last: LastCommit = { n: 0, bytes: undefined };
  for (let isFirst = true; !signal.aborted && (isFirst || performance.now() < giveUpAt); isFirst = false) {
    if (!isFirst) await tail.next(idleMs);
    last = tail.newest !== undefined && tail.newest.n > last.n ? tail.newest : await lastCommitOf(lane);
    const before = last.bytes && decodeCommit(last.bytes);
    if (before !== undefined) refuseClosed(before);
    const atMs = Math.max(now(), before ? Date.parse(before.at) : 0);
    const { bytes, term } = takeOverCommit(options, last, before, atMs);
    const n = last.n + 1;
    const outcome = await appendSurely(lane, bytes, n, { signal, step });
    if (outcome === "stored") {
      const beforeMs = before ? Date.parse(before.at) : Number.NEGATIVE_INFINITY;
      return { term, at: { n, hash: hashCommit(bytes), atMs }, beforeMs };
    }
    if (outcome !== "lost") throw new TakeOverFailed(`the log of ${lane.id} refused the take-over: ${outcome.refused}`);
  }
  throw new TakeOverFailed(`${lane.id} was written by another one all the time while it was to be taken over`);
}

/** The last commit of a lane; `n` is 0 when there is none. */
interface LastCommit {
  readonly n: number;
  readonly bytes: Uint8Array | undefined;
}

async function lastCommitOf(lane: Lane): Promise<LastCommit> {
  for (;;) {
    const n = await lane.lastNumber();
    const bytes = n === 0 ? undefined : (await lane.readAt(n))?.bytes;
    if (n === 0 || bytes !== undefined) return { n, bytes };
  }
}

function takeOverCommit(
  { lane, writer }: TakeOverOptions,
  last: LastCommit,
  before: Commit | undefined,
  atMs: number,
): { readonly bytes: Uint8Array; readonly term: number } {
  const term = (before?.term ?? 0) + 1;
  const head: CommitHead = {
    lane: lane.id,
    epoch: lane.epoch,
    n: last.n + 1,
    term,
    writer,
    prevHash: last.bytes ? hashCommit(last.bytes) : "",
    at: new Date(atMs).toISOString(),
  };
  return { bytes: encodeCommit(head, []), term };
}

/** After the commit that closes an epoch there is no other in it. */
function refuseClosed(last: Commit): void {
  if (closedFor(last) === undefined) return;
  throw new TakeOverFailed(
    `${last.lane} is closed to go on in its next epoch; if it does not, run: npm run hub -- archive`,
  );
}

/** Facts from another epoch, from beyond the log, or of another version must not decide anything. */
function refuseStrangeTables(checkpoint: Checkpoint, last: number, { lane, factsVersion }: TakeOverOptions): void {
  if (checkpoint.n === 0) return;
  if (!isOfLane(lane, checkpoint) || checkpoint.n > last) {
    throw new TakeOverFailed(
      `the read tables stand at ${checkpoint.epoch}:${checkpoint.n}, but ${lane.id} at ${lane.epoch}:${last}; rebuild them`,
    );
  }
  if (factsVersion !== undefined && checkpoint.factsVersion !== factsVersion) throw new FactsOfAnotherVersion(lane.id);
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

/** How long one that writes all the time is raced against. */
const maxRaceMs = 10_000;
/** A lane that brought no commit for so long is not being written at present. */
const idleMs = 20;
const maxClockDifferenceMs = 2_000;
