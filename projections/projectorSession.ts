import {
  type Change,
  type Checkpoint,
  type ContextModel,
  type FactSource,
  type Lane,
  type ParkedMark,
  ParkingFold,
  type Step,
  type StoredCommit,
  sealedKeyIds,
  stepSent,
  type Vault,
} from "@connect-hub/domain/kernel";
import type { Applier, LaneCheckpoint } from "./applier.ts";
import { CommitChecks } from "./commitChecks.ts";
import { ChangeFold } from "./fold.ts";
import { Overtaken } from "./overtaken.ts";
import { Pace } from "./pace.ts";
import { haltReasons, ProjectionHalted } from "./projectionHalted.ts";
import type { ProjectStep } from "./steps.ts";

/** What a session works with. */
export interface SessionParts {
  readonly lane: Lane;
  readonly model: ContextModel;
  readonly vault: Vault;
  readonly source: FactSource;
  readonly applier: Applier;
  readonly factsVersion: string;
  /** The epoch of the commit at the checkpoint; undefined for none. */
  readonly madeIn: string | undefined;
  /** The subjects that are parked at the checkpoint. */
  readonly parked: readonly ParkedMark[];
  /** Whether what can't be applied parks its subject at present (as it does if left out); else the projector halts. */
  readonly mayPark?: (() => boolean) | undefined;
  /** How often a session with nothing to do looks whether its tables were emptied. */
  readonly lookEveryMs: number;
  /** Called when a batch has parked subjects. */
  onParked(marks: readonly ParkedMark[]): void;
  /** Called after each batch, and now and then when there is nothing to do. */
  onProgress(checkpoint: Checkpoint): void;
  readonly step?: Step<ProjectStep> | undefined;
}

/** A batch is full at so many commits or bytes of them: some 1,000 events, 50 ms of work for Postgres. */
const fullCommits = 2_000;
const fullBytes = 1024 * 1024;
/** From this part of a full batch on the projector counts as behind, and does not wait for more to gather. */
const behind = 1 / 4;
/** Commits are opened in small pieces: what is parsed dies young, and no transaction waits for a whole delivery. */
const pieceCommits = 50;
const pieceBytes = 32 * 1024;
/** Near the head ten transactions may follow each other at once, then one each 25 ms: 40 a second cost little. */
const pace = { intervalMs: 25, burst: 10 };

/** How often a session that is at its bound looks whether it may go on. */
const stoppedLookMs = 200;

/** Commits read and folded that wait to be applied. */
interface Waiting {
  readonly fold: ChangeFold;
  readonly parked: ParkedMark[];
  last: { readonly n: number; readonly hash: string };
  commits: number;
  bytes: number;
}

/**
 * One projector at one lane from one checkpoint on, until something is in its way: reads ahead and folds while a
 * transaction runs. `run` throws what was in the way; it ends without an error when parked subjects are to be tried again.
 */
export class ProjectorSession {
  readonly #parts: SessionParts;
  readonly #checks: CommitChecks;
  readonly #pace = new Pace(pace);
  readonly #parking: ParkingFold;
  #lookedAt = performance.now();
  #standing: LaneCheckpoint;
  /** Why no commit after those that wait can be taken. */
  #problem: unknown;
  #waiting: Waiting | undefined;
  #wake: () => void = () => undefined;
  #wakeReader: () => void = () => undefined;

  constructor(parts: SessionParts, standing: LaneCheckpoint) {
    this.#parts = parts;
    this.#standing = standing;
    this.#parking = new ParkingFold(parts.model, parts.parked);
    this.#checks = new CommitChecks({ ...parts, parked: this.#parking.marks }, standing, parts.madeIn);
  }

  /** Runs until `signal` aborts; throws the first trouble. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const end = () => {
      stop.abort();
      this.#wake();
      this.#wakeReader();
    };
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    let trouble: { readonly error: unknown } | undefined;
    const guarded = (task: Promise<void>) =>
      task
        .catch((error: unknown) => {
          trouble ??= { error };
        })
        .finally(end);
    await Promise.all([guarded(this.#read(stop.signal)), guarded(this.#apply(stop.signal))]);
    signal.removeEventListener("abort", end);
    if (trouble !== undefined) throw trouble.error;
  }

  async #read(signal: AbortSignal): Promise<void> {
    const stopAt = this.#standing.stopAt ?? Number.POSITIVE_INFINITY;
    if (this.#standing.n >= stopAt) return untilAborted(signal);
    for await (const batch of this.#parts.lane.read(this.#standing.n + 1, signal)) {
      for (const piece of pieces(batch.filter(({ n }) => n <= stopAt))) {
        while (isFull(this.#waiting) && !signal.aborted) {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
        if (signal.aborted) return;
        this.#problem = await this.#take(piece);
        this.#wake();
        if (this.#problem !== undefined) return;
        // The transaction under way has more to send, and to hear, than goes at once.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if ((batch.at(-1)?.n ?? 0) >= stopAt) return untilAborted(signal);
    }
  }

  /** Checks, opens and folds some commits; what is wrong with the first of them that can't be. */
  async #take(piece: readonly StoredCommit[]): Promise<unknown> {
    const { lane, model, vault, mayPark } = this.#parts;
    const { commits, problem } = await this.#checks.take(piece);
    const keys = await vault.byId(
      sealedKeyIds(
        commits.map(({ commit }) => commit),
        model,
      ),
    );
    for (const { commit, hash, bytes } of commits) {
      const { changes, parked } = this.#parking.take(commit, keys);
      const [first] = parked;
      if (first !== undefined && mayPark?.() === false) return new ProjectionHalted(haltReasons.wouldPark(lane, first));
      this.#add(changes, parked, { n: commit.n, hash, bytes });
    }
    return problem;
  }

  #add(
    changes: readonly Change[],
    parked: readonly ParkedMark[],
    { n, hash, bytes }: { n: number; hash: string; bytes: number },
  ): void {
    const { tables } = this.#parts.model;
    this.#waiting ??= { fold: new ChangeFold(tables), parked: [], last: { n, hash }, commits: 0, bytes: 0 };
    const waiting = this.#waiting;
    waiting.fold.add(changes);
    waiting.parked.push(...parked);
    waiting.last = { n, hash };
    waiting.commits += 1;
    waiting.bytes += bytes;
  }

  async #apply(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (await this.#retryIsAskedFor()) return;
      if (this.#waiting === undefined) {
        if (this.#problem !== undefined) throw this.#problem;
        await this.#something(this.#isStopped ? stoppedLookMs : this.#parts.lookEveryMs, signal);
        if (this.#isIdle && !signal.aborted) await this.#checkStanding();
        continue;
      }
      await this.#gather(signal);
      if (!signal.aborted) await this.#applyWaiting();
    }
  }

  /** At its bound, whoever set that waits for it: a rebuild that compares. */
  get #isStopped(): boolean {
    return this.#standing.stopAt !== null && this.#standing.n >= this.#standing.stopAt;
  }

  get #isIdle(): boolean {
    return this.#waiting === undefined && this.#problem === undefined;
  }

  /** Near the head, waits for the pace; ends early when enough has gathered. */
  async #gather(signal: AbortSignal): Promise<void> {
    for (;;) {
      const waitMs = this.#pace.waitMs(performance.now());
      if (waitMs === 0 || signal.aborted || isFull(this.#waiting, behind)) return;
      await this.#something(waitMs, signal);
    }
  }

  async #applyWaiting(): Promise<void> {
    const { applier, lane, factsVersion, onProgress, onParked, step } = this.#parts;
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    this.#wakeReader();
    this.#pace.take(performance.now());
    const to = { ...waiting.last, epoch: lane.epoch, factsVersion };
    const { fold, parked } = waiting;
    const marks = parked.length > 0 && { marks: { set: parked, taken: [] } };
    const batch = { lane: lane.id, from: this.#standing, to, tables: fold.folded(), ...marks };
    await step?.("project.folded");
    const applying = applier.apply(batch);
    // What it came to is told below.
    applying.catch(() => undefined);
    if (step !== undefined) await stepSent(step, "project.sent");
    if ((await applying) === "conflict") throw new Overtaken();
    await step?.("project.applied");
    this.#standing = { ...this.#standing, ...to };
    if (parked.length > 0) onParked(parked);
    onProgress(this.#standing);
  }

  /** Looks now and then, while there is something to try again. */
  async #retryIsAskedFor(): Promise<boolean> {
    const { source, lane, lookEveryMs } = this.#parts;
    if (this.#parking.marks.size === 0 || performance.now() < this.#lookedAt + lookEveryMs) return false;
    this.#lookedAt = performance.now();
    return (await source.load(lane.id, [])).parked.some(({ retry }) => retry);
  }

  async #checkStanding(): Promise<void> {
    const { applier, lane, onProgress } = this.#parts;
    const { n, hash, generation, halted, projector, stopAt } = await applier.lease(lane.id, lane.epoch);
    const standing = this.#standing;
    if (n !== standing.n || hash !== standing.hash || generation !== standing.generation) throw new Overtaken();
    if (projector !== applier.projector || stopAt !== standing.stopAt) throw new Overtaken();
    await this.#checkLog();
    if (!this.#isIdle) return;
    if (halted !== null) await applier.noteHalt(lane.id, null);
    onProgress(standing);
  }

  /** A log that was rolled back beneath it would be silent until it is as long as it was. */
  async #checkLog(): Promise<void> {
    const { lane } = this.#parts;
    const last = await lane.lastNumber().catch(() => undefined);
    // It may be away, which is for whoever reads it to say.
    if (last !== undefined && last < this.#standing.n) {
      throw new ProjectionHalted(haltReasons.beyondLog(lane, this.#standing, last));
    }
  }

  /** Resolves when commits came, after `ms`, or when the session ends. */
  #something(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** What is read no further than to a bound still waits for its end: the session lives on. */
function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function isFull(waiting: Waiting | undefined, part = 1): boolean {
  return waiting !== undefined && (waiting.commits >= fullCommits * part || waiting.bytes >= fullBytes * part);
}

function* pieces(batch: readonly StoredCommit[]): Generator<readonly StoredCommit[]> {
  let from = 0;
  let bytes = 0;
  for (let index = 0; index < batch.length; index++) {
    bytes += batch[index]?.bytes.byteLength ?? 0;
    const isLast = index === batch.length - 1;
    if (!isLast && bytes < pieceBytes && index + 1 - from < pieceCommits) continue;
    yield batch.slice(from, index + 1);
    from = index + 1;
    bytes = 0;
  }
}
