export { type AppStarted, appEnv, type RunningApp, runApp, sharesProcess, untilOver } from "./app.ts";
export { appLog } from "./appLog.ts";
export { aptMirrors, isUbuntu, type Mirror } from "./aptArchive.ts";
export { appArgs, checkout, keepBundle, latestBundle } from "./bundle.ts";
export { claimDataFolder, oneAtATime, ownerOf, sweepAbandoned } from "./claim.ts";
export { type DataFolder, openDataFolder, readOrMakeSecret } from "./dataFolder.ts";
export { RuntimeError, type RuntimeErrorCode } from "./errors.ts";
export { failpoint } from "./failpoint.ts";
export { readJsonIfThere, writeFileAtomic } from "./files.ts";
export { type FindOptions, findServer } from "./findServer.ts";
export { makeFolder } from "./makeFolder.ts";
export { type NatsLogin, type NatsUser, reloadNats } from "./nats.ts";
export {
  forgetServiceLogin,
  type NatsService,
  readServices,
  serviceLogin,
  serviceUser,
  serviceUserText,
  writeServices,
} from "./natsServices.ts";
export { endLeftover } from "./pidFile.ts";
export { assertPortFree, freePort } from "./ports.ts";
export { defaultCacheFolder } from "./privateCopy.ts";
export { identifyProcess, isRunning, type ProcessIdentity, processNames } from "./processIdentity.ts";
export type { NatsCluster } from "./recipe.ts";
export type { ServerKind } from "./serverKinds.ts";
export { findSftpClient, type SftpClient } from "./sftpClient.ts";
export { readOrMakeSigningKey, readSigningKey } from "./signingKey.ts";
export { type RunningSshd, type StartSshdOptions, startSshd } from "./sshd.ts";
export { makeSshKey, readOrMakeSshKey, type SshKey } from "./sshKey.ts";
export { type RunningServer, type StartServerOptions, startServer } from "./startServer.ts";
export { type BoxServers, type StartServersOptions, startServers } from "./startServers.ts";
export { type ProcessPlan, type ProcessState, type SupervisedProcess, superviseProcess } from "./supervisedProcess.ts";
export { checkUrlServer } from "./urlServer.ts";
export { waitFor } from "./waitFor.ts";
