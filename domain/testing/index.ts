export * from "./changeApplier.features.ts";
export * from "./lane.features.ts";
export * from "./memoryBox.ts";
export * from "./memoryLane.ts";
export * from "./memoryVault.ts";
export * from "./scenario.ts";
export * from "./vault.features.ts";
