import type { Checkpoint, ParkedMark, Subject } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { FoldedTable } from "./fold.ts";

/** A lane's checkpoint as its projector keeps it. */
export interface LaneCheckpoint extends Checkpoint {
  readonly lane: LaneId;
  /** Why its projector has halted; null while it goes on. */
  readonly halted: string | null;
  /** When the checkpoint was last written, or its projector last said that it is there: an ISO instant by the clock of the tables. */
  readonly at: string;
  /** No batch goes beyond this commit; null: no such bound. */
  readonly stopAt: number | null;
  /** The projector that has the lane, null for none: no other one writes until 5 s after `at`. */
  readonly projector: string | null;
}

/** What some commits of a lane, one after another, change in all. */
export interface ProjectedBatch {
  readonly lane: LaneId;
  /** The checkpoint that must stand there. */
  readonly from: Checkpoint;
  /** The one that is to stand there, in the same generation. */
  readonly to: Omit<Checkpoint, "generation">;
  readonly tables: readonly FoldedTable[];
  /** What becomes of the lane's parked subjects; nothing, if left out. */
  readonly marks?: MarkChanges;
}

/** Marks of parked subjects that are made or replaced, and those that are taken away. */
export interface MarkChanges {
  /** Those that must stand there as they are here: what moves no checkpoint can't be told from its repetition by anything else. */
  readonly before?: readonly ParkedMark[];
  readonly set: readonly ParkedMark[];
  readonly taken: readonly Subject[];
}

/** The read tables of one context, as a projector writes them. All methods throw `FactsUnavailable`. */
export interface Applier {
  /** The name of the projector that this one writes for. */
  readonly projector: string;
  /** The checkpoint of a lane; makes one at 0 in `epoch` for a lane that has none. */
  checkpoint(lane: LaneId, epoch: string): Promise<LaneCheckpoint>;
  /**
   * The same, and takes the lane for this projector, or keeps it, unless another one has it: one that wrote in the last
   * 5 seconds and is still connected. It is this one's when `projector` in the answer is.
   */
  lease(lane: LaneId, epoch: string): Promise<LaneCheckpoint>;
  /** Lets go of a lane, so that another projector can take it at once. */
  release(lane: LaneId): Promise<void>;
  /**
   * Applies the batch, moves the checkpoint and keeps the lane for this projector, or does nothing at all: `conflict` when
   * another checkpoint or another mark stands there, another projector has the lane, or the batch goes beyond `stopAt`.
   */
  apply(batch: ProjectedBatch): Promise<"applied" | "conflict">;
  /** Notes why a lane has halted, or that it goes on. */
  noteHalt(lane: LaneId, reason: string | null): Promise<void>;
}
