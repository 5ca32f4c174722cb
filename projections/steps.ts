/**
 * The places where a process may be made to die, or to stand still, in a crash test, in the order of the work: after each step that
 * leaves something behind.
 */
export const projectSteps = [
  /** The lane is this projector's; nothing was read. */
  "project.leased",
  /** Commits are read, checked and folded; nothing was sent to the tables. */
  "project.folded",
  /** The batch is on its way; no answer of the tables was seen. */
  "project.sent",
  /** The tables have it, with the checkpoint. */
  "project.applied",
  /** The reason why it does not go on is noted. */
  "project.halted",
] as const;

export const rebuildSteps = [
  /** There are new tables, empty; projectors find them. */
  "rebuild.made",
  /** They are near the head of the log. */
  "rebuild.filled",
  /** They stand still, so that the served ones get ahead of them. */
  "rebuild.held",
  /** A snapshot of the served ones is open, and the new ones may go as far as that. */
  "rebuild.bounded",
  /** Both were found to be the same. */
  "rebuild.compared",
  /** The new ones follow the log again. */
  "rebuild.released",
  /** Readers see the new ones; tables that were kept before may still take disk. */
  "rebuild.swapped",
  /** That disk is free. */
  "rebuild.cleaned",
] as const;

export type ProjectStep = (typeof projectSteps)[number];
export type RebuildStep = (typeof rebuildSteps)[number];
