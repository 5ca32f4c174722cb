export type { Applier, LaneCheckpoint, MarkChanges, ProjectedBatch } from "./applier.ts";
export type { Comparison, GenerationDifference } from "./compareGenerations.ts";
export { type FoldedTable, type FoldStep, foldChanges, type NetEffect, type PresentEffect } from "./fold.ts";
export { type FoldLaneOptions, foldLane } from "./foldLane.ts";
export {
  byLane,
  type Generation,
  GenerationRefused,
  type GenerationState,
  type Generations,
  type PresentLog,
} from "./generations.ts";
export { generationSchema, generationTables } from "./migrations/generationTables.ts";
export { migrateSchema } from "./migrations/migrate.ts";
export { type CatalogColumn, catalogQuery, servedViews } from "./migrations/servedViews.ts";
export { type Projector, type ProjectorNews, type ProjectorOptions, startProjector } from "./projector.ts";
export { accountCheckpoints, contentCheckpoints, noCheckpoint, roomCheckpoints } from "./queries/checkpoints.ts";
export {
  type BlobPlaces,
  type BlobSummary,
  blobPlaces,
  blobSummaries,
  blobsAfter,
  bytesOnNodes,
  type ContentNode,
  contentNodes,
  type FileRecord,
  filesOf,
} from "./queries/contentPlaces.ts";
export {
  activeNodes,
  blobsByHash,
  type Claim,
  dueClaims,
  fileById,
  type StoredBlob,
  type StoredFile,
  type StoredNode,
  storeLevel,
} from "./queries/files.ts";
export { type Person, peopleByIds } from "./queries/peopleByIds.ts";
export { roomEventsOfTypes } from "./queries/roomEvents.ts";
export { type RoomMember, type RoomMembersQuery, roomMembers } from "./queries/roomMembers.ts";
export { type RoomOfUser, type RoomsOfUser, roomsOfUser } from "./queries/roomsOfUser.ts";
export { type RebuildOptions, type Rebuilt, rebuild } from "./rebuild.ts";
export { type ProjectStep, projectSteps, type RebuildStep, rebuildSteps } from "./steps.ts";
export {
  digestFold,
  digestOfDigests,
  digestTables,
  firstDifference,
  type TableDifference,
  type TableDigest,
} from "./tableDigests.ts";
export type { AuthTables, ChatTables, ContentTables } from "./tables.ts";
export type { TablesSnapshot } from "./tablesSnapshot.ts";
export { type TablesVerdict, type VerifyTablesOptions, verifyTables } from "./verifyTables.ts";
