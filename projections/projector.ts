import {
  type Checkpoint,
  type ContextModel,
  type FactSource,
  FactsUnavailable,
  factsVersionOf,
  type Lane,
  LogUnavailable,
  type ParkedMark,
  pause,
  type Step,
  type Vault,
  VaultUnavailable,
} from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { Applier } from "./applier.ts";
import { checkCheckpoint } from "./commitChecks.ts";
import { Overtaken } from "./overtaken.ts";
import { ProjectorSession } from "./projectorSession.ts";
import { parkedAt, retryParked } from "./retryParked.ts";
import type { ProjectStep } from "./steps.ts";

/** What a projector tells its app, for the log. */
export type ProjectorNews =
  | { readonly kind: "started"; readonly checkpoint: Checkpoint }
  /** Something is away; it tries again by itself. */
  | { readonly kind: "trouble"; readonly error: unknown }
  /** Another projector was faster, or the tables were emptied; it begins again at the checkpoint that stands there. */
  | { readonly kind: "overtaken" }
  /** These subjects can't be had until what was in the way is mended and they are tried again. */
  | { readonly kind: "parked"; readonly marks: readonly ParkedMark[] }
  /** It does not go on until an operator has done something; it looks whether that is so now and then. */
  | { readonly kind: "halted"; readonly reason: string; readonly error: unknown };

export interface ProjectorOptions {
  readonly lane: LaneId;
  /** Opens the lane in its present epoch; called each time the projector begins again. */
  openLane(): Promise<Lane>;
  readonly model: ContextModel;
  readonly vault: Vault;
  /** The tables that `applier` writes. */
  readonly source: FactSource;
  readonly applier: Applier;
  /** How often it looks at its checkpoint while it has nothing to do, or has halted. 1,000 if left out. */
  readonly lookEveryMs?: number;
  /** Whether what can't be applied parks its subject at present, as it does if left out; else the projector halts. */
  mayPark?(): boolean;
  onNews?(news: ProjectorNews): void;
  readonly step?: Step<ProjectStep>;
}

/** A projector at work on one lane. */
export interface Projector {
  readonly lane: LaneId;
  /** `standby`: another projector has the lane, and this one takes it when that one is gone. */
  readonly state: "working" | "standby" | "trouble" | "halted";
  /** The last commit that it applied or found applied. */
  readonly n: number;
  /** Ends it between two transactions. */
  close(): Promise<void>;
}

/** How soon it tries again, doubled each time up to the maximum. */
const firstRetryMs = 50;
const maxRetryMs = 2_000;

/**
 * Keeps the read tables of one lane: from the checkpoint on, for ever, each commit exactly once. Whatever is away comes
 * back by itself; what would make the tables wrong halts it, with the reason in the checkpoint's row. Any number of
 * projectors may be started for one lane: one has it, the others stand by until that one is gone or was frozen for 5 s.
 */
export function startProjector(options: ProjectorOptions): Projector {
  const { applier, lookEveryMs = 1_000, onNews } = options;
  const stop = new AbortController();
  const factsVersion = factsVersionOf(options.model);
  let state: Projector["state"] = "working";
  let applied = 0;
  let retryMs = firstRetryMs;
  let halted: string | null = null;
  const running = run();

  function onProgress({ n }: Checkpoint): void {
    applied = n;
    state = "working";
    halted = null;
    retryMs = firstRetryMs;
  }

  function onParked(marks: readonly ParkedMark[]): void {
    onNews?.({ kind: "parked", marks });
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        const lane = await options.openLane();
        const standing = await applier.lease(lane.id, lane.epoch);
        if (standing.projector !== applier.projector) {
          state = "standby";
          applied = standing.n;
          await pause(lookEveryMs, stop.signal);
          continue;
        }
        state = "working";
        await options.step?.("project.leased");
        const madeIn = await checkCheckpoint(lane, standing, factsVersion);
        // It got on since the last trouble, if perhaps without hearing of it.
        if (standing.n > applied) retryMs = firstRetryMs;
        applied = standing.n;
        onNews?.({ kind: "started", checkpoint: standing });
        const shared = { ...options, lane, factsVersion };
        const parked = await retryParked(await parkedAt(shared, standing), { ...shared, standing }, stop.signal);
        if (parked.length > 0) onNews?.({ kind: "parked", marks: parked });
        const parts = { ...shared, parked, madeIn, lookEveryMs, onProgress, onParked };
        await new ProjectorSession(parts, standing).run(stop.signal);
      } catch (error) {
        await recover(error);
      }
    }
  }

  async function recover(error: unknown): Promise<void> {
    if (error instanceof Overtaken) {
      onNews?.({ kind: "overtaken" });
      await wait();
    } else if (isPassing(error)) {
      state = "trouble";
      onNews?.({ kind: "trouble", error });
      await wait();
    } else {
      await halt(error);
      await pause(lookEveryMs, stop.signal);
    }
  }

  async function halt(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    state = "halted";
    if (reason === halted) return;
    onNews?.({ kind: "halted", reason, error });
    try {
      await applier.noteHalt(options.lane, reason);
      halted = reason;
      await options.step?.("project.halted");
    } catch (cause) {
      onNews?.({ kind: "trouble", error: cause });
    }
  }

  async function wait(): Promise<void> {
    // Not all at one moment, where several projectors stand in each other's way.
    await pause(retryMs * (0.5 + Math.random()), stop.signal);
    retryMs = Math.min(retryMs * 2, maxRetryMs);
  }

  return {
    lane: options.lane,
    get state() {
      return state;
    },
    get n() {
      return applied;
    },
    async close() {
      stop.abort();
      await running;
      // Whoever stands by has the lane at once; without this word, some seconds later.
      await applier.release(options.lane).catch(() => undefined);
    },
  };
}

function isPassing(error: unknown): boolean {
  if (error instanceof Error && "retryable" in error) return error.retryable === true;
  return error instanceof LogUnavailable || error instanceof FactsUnavailable || error instanceof VaultUnavailable;
}
