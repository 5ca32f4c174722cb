export * from "./commandInputs.ts";
export * from "./ids.ts";
export * from "./instant.ts";
export * from "./json.ts";
export * from "./limits.ts";
export * from "./position.ts";
export * from "./rejections.ts";
export * from "./roomTypes.ts";
