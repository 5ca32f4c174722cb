export { ServiceError, type ServiceErrorCode, type ServiceEvent } from "@connect-hub/domain/services";
export { type ConnectEventsOptions, connectEvents, type Events } from "./connectEvents.ts";
export type { Handler, HandlerContext } from "./deliver.ts";
export type { ParkedSubject } from "./parking.ts";
export type { SubscribeOptions, Subscription } from "./subscription.ts";
