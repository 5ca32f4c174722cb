export * from "./commands.ts";
export * from "./events.ts";
export * from "./levelOf.ts";
export * from "./pressure.ts";
export * from "./reactions.ts";
export * from "./rights.ts";
export * from "./steps.ts";
export * from "./tables.ts";
