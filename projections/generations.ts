import type { LaneId } from "@connect-hub/domain/values";
import type { LaneCheckpoint } from "./applier.ts";
import type { TablesSnapshot } from "./tablesSnapshot.ts";

/**
 * `building`: being filled, read by nobody. `served`: what everybody reads. `kept`: what was served before, still projected, so
 * that one can go back to it. There is one served generation, and at most one of each other state.
 */
export type GenerationState = "building" | "served" | "kept";

/** One set of the read tables of a context, with checkpoints of its own. */
export interface Generation {
  /** Goes up for ever. */
  readonly number: number;
  readonly state: GenerationState;
  /** The `factsVersion` of the code that made it: no other projects it. Empty: none does. */
  readonly factsVersion: string;
  /** ISO instants. */
  readonly madeAt: string;
  readonly swappedAt: string | null;
}

/** The generations of the read tables of one context. All methods throw `FactsUnavailable`. */
export interface Generations {
  /** In the order of their numbers. */
  list(): Promise<readonly Generation[]>;
  /** Makes one with empty tables, `building`, for the lanes of the served one. Throws `GenerationRefused` when there is one. */
  make(factsVersion: string): Promise<Generation>;
  checkpoints(generation: number): Promise<readonly LaneCheckpoint[]>;
  /** How many subjects are parked in it. */
  parked(generation: number): Promise<number>;
  /** The bytes that it takes on the disk of the tables, indexes and all. */
  bytes(generation: number): Promise<number>;
  /**
   * Lets no batch go beyond these commits, or beyond where each lane stands (`here`); null takes the bounds away. Gives the
   * checkpoints with their bounds.
   */
  bound(generation: number, at: ReadonlyMap<LaneId, number> | "here" | null): Promise<readonly LaneCheckpoint[]>;
  snapshot(generation: number): Promise<TablesSnapshot>;
  /**
   * Makes `generation` the served one, in one transaction that no reader notices; the one that was served is kept, and the one
   * that was kept is given up. Throws `GenerationRefused` when it is behind the served one, has halted, or has parked subjects;
   * `evenIfBehind`: readers see it fill.
   */
  swap(generation: number, options?: { readonly evenIfBehind?: boolean }): Promise<void>;
  /** Gives up one that is not served; `clean` frees the disk. Throws `GenerationRefused` for the served one. */
  giveUp(generation: number): Promise<void>;
  /** Drops the tables of all that were given up. */
  clean(): Promise<void>;
}

/** The log as it is now, as far as it matters for tables that are to be served. Throws `LogUnavailable`. */
export interface PresentLog {
  /** Whether a checkpoint is of it. */
  has(checkpoint: LaneCheckpoint): Promise<boolean>;
  /** The number of a lane's last commit. */
  head(lane: LaneId): Promise<number>;
}

/** What was asked for can't be done with this generation; the message says why, and what to do. */
export class GenerationRefused extends Error {
  readonly code = "GenerationRefused";
  readonly retryable = false;
}

/** The checkpoints of a generation by their lanes. */
export const byLane = (checkpoints: readonly LaneCheckpoint[]): ReadonlyMap<LaneId, LaneCheckpoint> =>
  new Map(checkpoints.map((one) => [one.lane, one]));

export const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
