export * from "./errors.ts";
export * from "./models.ts";
export * from "./readAfter.ts";
export * from "./rights.ts";
export * from "./serviceEvents.ts";
export * from "./state.ts";
