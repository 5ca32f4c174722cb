export { type AppStarted, appEnv, type RunningApp, runApp } from "./app.ts";
export { appLog } from "./appLog.ts";
export { claimDataFolder, ownerOf, sweepAbandoned } from "./claim.ts";
export { type DataFolder, openDataFolder } from "./dataFolder.ts";
export { RuntimeError, type RuntimeErrorCode } from "./errors.ts";
export { readJsonIfThere, writeFileAtomic } from "./files.ts";
export type { NatsLogin, NatsUser } from "./nats.ts";
export { assertPortFree, freePort } from "./ports.ts";
export { identifyProcess, isRunning, type ProcessIdentity } from "./processIdentity.ts";
export type { ServerKind } from "./serverKinds.ts";
export { type RunningServer, type StartServerOptions, startServer } from "./startServer.ts";
export { type BoxServers, type StartServersOptions, startServers } from "./startServers.ts";
export {
  endLeftover,
  type ProcessPlan,
  type ProcessState,
  type SupervisedProcess,
  superviseProcess,
} from "./supervisedProcess.ts";
export { waitFor } from "./waitFor.ts";
