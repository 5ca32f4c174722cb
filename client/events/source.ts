import type { LanePosition, ServiceEvent, ServiceState } from "@connect-hub/domain/services";
import type { LaneId } from "@connect-hub/domain/values";

/** Some of a lane's events, in order, and how far one is who is done with them. */
export interface SourceBatch {
  readonly events: readonly ServiceEvent[];
  readonly position: LanePosition;
}

/** Where the events of a service come from, and where it keeps how far it is. */
export interface EventSource {
  /** The lanes in which there are events of these newest types, and which of them. Throws `ServiceError`, `LogUnavailable`. */
  lanes(asked: readonly string[] | undefined): Promise<ReadonlyMap<LaneId, readonly string[]>>;
  /** How far somebody is who has seen all of a lane. Throws `LogUnavailable`. */
  head(lane: LaneId, signal: AbortSignal): Promise<LanePosition>;
  /**
   * The events of these types after a position, without end; also batches without any, so that the position goes on. Throws
   * `ServiceError` when that can't be, anything else when it is to be tried again.
   */
  read(
    lane: LaneId,
    options: { readonly after: LanePosition; readonly types: readonly string[]; readonly signal: AbortSignal },
  ): AsyncIterable<SourceBatch>;
  readonly state: ServiceState;
}

/** How many events come at once, at most, but for those of one commit: so many may come again after a crash. */
export const batchEvents = 100;
