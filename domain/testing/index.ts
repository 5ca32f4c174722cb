export * from "./lane.features.ts";
export * from "./memoryLane.ts";
