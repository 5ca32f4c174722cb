import type { Context, LaneId } from "../values/ids.ts";
import type { FactRef, Row, Schema } from "./fact.ts";
import type { ParkedMark } from "./parked.ts";

/** A commit as the log holds it. */
export interface StoredCommit {
  /** Its number, from 1. */
  readonly n: number;
  readonly bytes: Uint8Array;
}

/**
 * What is known of an append afterwards. `unclear`: no answer came; it may or may not be stored, or be stored later.
 * `epochOver`: the lane goes on in another epoch, and nothing of this one is in it unless it was copied there.
 * `refused`: this append is not stored and never will be; that says nothing of an earlier, unclear one of the same bytes.
 */
export type AppendOutcome = "stored" | "wrongLast" | "unclear" | "epochOver" | { readonly refused: AppendRefusal };

/**
 * `full`: the log's reserve on the disk is used up. `tooLarge`: no log takes that many bytes at once. `away`: there was no connection,
 * and nothing was sent.
 */
export type AppendRefusal = "full" | "tooLarge" | "away";

/** An epoch of a lane that was closed: its commits are those up to `last` that no epoch before it has. */
export interface PastEpoch {
  readonly epoch: string;
  /** The number of its last commit. */
  readonly last: number;
}

/** Whether `n` commits of `epoch` are a part of the lane's past: of its own epoch, or of one that was closed, not restored over. */
export function isOfLane(lane: Pick<Lane, "epoch" | "past">, { epoch, n }: Pick<Checkpoint, "epoch" | "n">): boolean {
  return epoch === lane.epoch || (lane.past ?? []).some((past) => past.epoch === epoch && n <= past.last);
}

/**
 * One epoch of one lane, with what came before it. All methods throw `LogUnavailable` when the log can't be reached and `EpochOver` when the lane has
 * gone on in another epoch, unless they say otherwise.
 */
export interface Lane {
  readonly id: LaneId;
  /** 32 hex digits. */
  readonly epoch: string;
  /** Epochs that were closed to go on in the next one, oldest first; reading joins their commits to those of this epoch. */
  readonly past?: readonly PastEpoch[];
  /**
   * Appends when the last number is `expectedLast`. Never throws; knows nothing of ids. One at a time. Waits at most `waitMs` (2 s if
   * left out) for a connection.
   */
  append(bytes: Uint8Array, expectedLast: number, waitMs?: number): Promise<AppendOutcome>;
  /** The commit at `n`, read through the leader, or undefined. */
  readAt(n: number): Promise<{ readonly bytes: Uint8Array } | undefined>;
  /** The last number, by the leader; 0 when empty. */
  lastNumber(): Promise<number>;
  /** The log's own time, in milliseconds. */
  time(): Promise<number>;
  /** Batches of commits from `from` on, without holes and without end; ends without error when `signal` aborts. */
  read(from: number, signal: AbortSignal): AsyncIterable<readonly StoredCommit[]>;
}

/** The log can't be reached: try again. */
export class LogUnavailable extends Error {
  readonly code: "LogUnavailable" | "EpochOver" = "LogUnavailable";
}

/** The lane goes on in another epoch. Whoever holds this one has to begin anew: what it knows may not have happened there. */
export class EpochOver extends LogUnavailable {
  override readonly code = "EpochOver";
  readonly retryable = true;

  constructor(
    readonly lane: LaneId,
    readonly epoch: string,
  ) {
    super(`${lane} is not in epoch ${epoch} any more: it was restored or archived; begin anew with the epoch it is in`);
  }
}

/** Where the served read tables of a context stand for one lane. */
export interface Checkpoint {
  /** The number of the last commit in the tables; 0 for none. */
  readonly n: number;
  /** SHA-256 (hex) of that commit's bytes; empty for none. */
  readonly hash: string;
  readonly epoch: string;
  /** Goes up when the tables are rebuilt or swapped. */
  readonly generation: number;
  /** The `factsVersion` of the code that filled the tables. */
  readonly factsVersion: string;
}

/** Reads facts. One call is one snapshot. Throws `FactsUnavailable`. */
export interface FactSource {
  /**
   * The rows (null = absent), the checkpoint and all parked subjects of `lane`, from one snapshot of the schema of the lane's context.
   */
  load(lane: LaneId, refs: readonly FactRef[]): Promise<LoadedFacts>;
}

export interface LoadedFacts {
  readonly checkpoint: Checkpoint;
  readonly rows: ReadonlyMap<FactRef, Row | null>;
  /** Their rows are of an earlier commit than the checkpoint, and not to be used. */
  readonly parked: readonly ParkedMark[];
}

/** The read tables can't be reached: try again. */
export class FactsUnavailable extends Error {
  readonly code = "FactsUnavailable";
}

/** The read tables that are served were filled by another version of the code: this one decides nothing by them. */
export class FactsOfAnotherVersion extends FactsUnavailable {
  constructor(lane: LaneId) {
    super(
      `the read tables of ${lane} were filled by another version of the code; docs/upgrade.md says what comes when`,
    );
  }
}

/** A key of the vault: 32 bytes. */
export interface VaultKey {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** The vault. Throws `VaultUnavailable`. Every key is durable before it is returned. */
export interface Vault {
  /** The living key of that name, from memory, or undefined. Never waits. */
  cached(name: string): VaultKey | undefined;
  /** The living keys of these names, made where they are missing. */
  named(names: readonly string[]): Promise<void>;
  /** Keys by id; an id that is not in the answer was destroyed. */
  byId(ids: readonly string[]): Promise<ReadonlyMap<string, VaultKey>>;
  /** Destroys every key whose name starts with `prefix`; how many there were. */
  destroy(prefix: string): Promise<number>;
}

/** The vault can't be reached: try again. */
export class VaultUnavailable extends Error {
  readonly code = "VaultUnavailable";
}

/** What the lane's writer tells the world. Best effort: whoever misses something finds out by the beats. */
export interface LiveBus {
  publish(subject: string, body: Uint8Array, headers?: { readonly [name: string]: string }): void;
}

/** Which schema a context's tables lie in. */
export const schemaOf: { readonly [context in Context]: Schema } = {
  accounts: "auth",
  rooms: "chat",
  content: "content",
};
