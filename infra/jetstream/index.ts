export {
  type Archived,
  type ArchiveStep,
  archivePast,
  type PastState,
  pastOf,
} from "./archivePast.ts";
export { checkLane } from "./checkLane.ts";
export { type CloseStep, closeEpoch, finishClosing } from "./closeEpoch.ts";
export { type CommandSender, type CommandSenderOptions, commandSender } from "./commandSender.ts";
export { type ConnectOptions, connectNats, type NatsLink } from "./connectNats.ts";
export { askDoor, type DoorAnswerer, serveDoor } from "./doorCalls.ts";
export { type EdgeRegistry, edgeRegistry } from "./edgeRegistry.ts";
export type { LaneDifference } from "./errors.ts";
export { type HeadStore, headStore } from "./headStore.ts";
export { type Instances, joinInstances } from "./instances.ts";
export { listLanes } from "./laneRegistry.ts";
export type { LinkEvent } from "./linkEvents.ts";
export { type LiveMessage, liveHearer, natsLiveBus, subscribeLive } from "./liveBus.ts";
export {
  enterEpoch,
  fixLaneCounts,
  laneBytes,
  laneSize,
  type NextEpoch,
  openNextEpoch,
  removeFormerEpochs,
  sealLane,
  setReserve,
} from "./nextEpoch.ts";
export { type OpenLaneOptions, openLane } from "./openLane.ts";
export { type ProvisionOptions, provisionLanes } from "./provisionLanes.ts";
export { reactorCheckpoint } from "./reactorCheckpoint.ts";
export { type ServeOptions, serveCommands } from "./serveCommands.ts";
export { type ServiceRegistry, serviceRegistry, serviceState } from "./serviceBuckets.ts";
export {
  type ServiceCommand,
  type ServiceCommands,
  type ServiceCommandsOptions,
  serviceCommands,
} from "./serviceCommands.ts";
export { type SystemCommands, systemCommands } from "./systemCommands.ts";
export { type Writers, writers } from "./writers.ts";
