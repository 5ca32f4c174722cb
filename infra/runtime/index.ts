export { claimDataFolder, ownerOf, sweepAbandoned } from "./claim.ts";
export { type DataFolder, openDataFolder } from "./dataFolder.ts";
export { RuntimeError, type RuntimeErrorCode } from "./errors.ts";
export { type RunningServer, type StartServerOptions, startServer } from "./startServer.ts";
