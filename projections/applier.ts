import type { Checkpoint } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { FoldedTable } from "./fold.ts";

/** A lane's checkpoint as its projector keeps it. */
export interface LaneCheckpoint extends Checkpoint {
  readonly lane: LaneId;
  /** Why its projector has halted; null while it goes on. */
  readonly halted: string | null;
  /** When the checkpoint was last written, an ISO instant by the clock of the tables. */
  readonly at: string;
}

/** What some commits of a lane, one after another, change in all. */
export interface ProjectedBatch {
  readonly lane: LaneId;
  /** The checkpoint that must stand there. */
  readonly from: Checkpoint;
  /** The one that is to stand there, in the same generation. */
  readonly to: Omit<Checkpoint, "generation">;
  readonly tables: readonly FoldedTable[];
}

/** The read tables of one context, as a projector writes them. All methods throw `FactsUnavailable`. */
export interface Applier {
  /** The checkpoint of a lane; makes one at 0 in `epoch` for a lane that has none. */
  checkpoint(lane: LaneId, epoch: string): Promise<LaneCheckpoint>;
  /**
   * Applies the batch and moves the checkpoint, or does nothing at all: `conflict` when another checkpoint stands there,
   * because another projector was faster or the tables were emptied.
   */
  apply(batch: ProjectedBatch): Promise<"applied" | "conflict">;
  /** Notes why a lane has halted, or that it goes on. */
  noteHalt(lane: LaneId, reason: string | null): Promise<void>;
}
