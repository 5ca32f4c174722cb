import type { BeatGatherer } from "./beat.ts";
import type { ContextModel, DomainEvent, EventPlace } from "./event.ts";
import { liveFrames } from "./liveFrames.ts";
import type { LiveBus } from "./ports.ts";
import { epoch8, type Subjects } from "./subjects.ts";

/** Publishes the frames of a commit that is stored, and notes the heads of its rooms for the next beat. */
export function publishFrames(
  events: readonly DomainEvent[],
  place: EventPlace & { readonly epoch: string; readonly term: number },
  { live, subjects, model }: { readonly live: LiveBus; readonly subjects: Subjects; readonly model: ContextModel },
  beats: BeatGatherer,
): void {
  for (const frame of liveFrames(events, place.at, model)) {
    beats.saw(frame.room, frame.lastS);
    const headers = {
      "Hub-Lane": place.lane,
      "Hub-Epoch": epoch8(place.epoch),
      "Hub-Term": String(place.term),
      "Hub-N": String(place.n),
      "Hub-S": `${frame.firstS}-${frame.lastS}`,
      ...(frame.membership && { "Hub-Members": "1" }),
    };
    live.publish(subjects.liveRoom(frame.room), frame.body, headers);
  }
}
