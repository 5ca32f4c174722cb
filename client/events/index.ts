export { LogUnavailable, type Subject } from "@connect-hub/domain/kernel";
export { ServiceError, type ServiceErrorCode, type ServiceEvent } from "@connect-hub/domain/services";
export type { LaneId } from "@connect-hub/domain/values";
export { type ConnectEventsOptions, connectEvents, type Events } from "./connectEvents.ts";
export type { Handler, HandlerContext } from "./deliver.ts";
export type { ParkedSubject } from "./parking.ts";
export type { SubscribeOptions, Subscription } from "./subscription.ts";
