export type { Applier, LaneCheckpoint, ProjectedBatch } from "./applier.ts";
export { type FoldedTable, type FoldStep, foldChanges, type NetEffect, type PresentEffect } from "./fold.ts";
export { migrateSchema } from "./migrations/migrate.ts";
export type { AuthTables, ChatTables } from "./tables.ts";
