export * from "./clientFrames.ts";
export * from "./commandAnswers.ts";
export * from "./errors.ts";
export * from "./files.ts";
export * from "./queries.ts";
export * from "./serverFrames.ts";
