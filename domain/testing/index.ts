export * from "./changeApplier.features.ts";
export * from "./lane.features.ts";
export * from "./memoryLane.ts";
