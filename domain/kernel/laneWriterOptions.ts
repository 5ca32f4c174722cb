import type { CommandDefinition, KeyedHashes, PrepareTools } from "./command.ts";
import type { ContextModel } from "./event.ts";
import type { ForeignFacts } from "./foreignFacts.ts";
import type { FactSource, Lane, LiveBus, StoredCommit, Vault } from "./ports.ts";
import type { AppendStep, Step } from "./steps.ts";
import type { Subjects } from "./subjects.ts";

/** What a writer of a lane is made of. */
export interface LaneWriterOptions {
  readonly lane: Lane;
  readonly model: ContextModel;
  readonly commands: { readonly [kind: string]: CommandDefinition };
  readonly source: FactSource;
  readonly vault: Vault;
  readonly hashes: KeyedHashes;
  readonly prepare: PrepareTools;
  readonly live: LiveBus;
  readonly subjects: Subjects;
  /** The id of this writer: unique for each take-over. */
  readonly writer: string;
  readonly now: () => number;
  /** For commands that need facts of other lanes. */
  readonly foreign?: ForeignFacts;
  readonly factsVersion?: string;
  /** Commands taken and not answered; default 10,000. */
  readonly maxPending?: number;
  /** Keys in memory; default 200,000. */
  readonly maxKeys?: number;
  /** Refusals in memory that stay; default 20,000. */
  readonly maxRefusals?: number;
  readonly cacheRows?: number;
  readonly maxTailEvents?: number;
  readonly behindTimeoutMs?: number;
  readonly beatMs?: number;
  /** Called after each step that leaves something behind: where a crash test dies. */
  readonly step?: Step<AppendStep>;
  /** Told of what must not happen: a decider or an adapter that threw something unknown. */
  onBug(error: unknown): void;
  /** Told of each commit that this writer has stored, before its commands are answered. */
  onStored?(commit: StoredCommit): void;
  /** Called once, when another writer has the lane. */
  onLost?(reason: string): void;
}
