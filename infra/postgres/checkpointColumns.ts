/** The columns of a checkpoint under the names of `LaneCheckpoint`. */
export const checkpointColumns = `lane, n, hash, epoch, generation, facts_version as "factsVersion", halted, at,
  stop_at as "stopAt", projector`;
