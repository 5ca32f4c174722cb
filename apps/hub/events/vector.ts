import type { Lane } from "@connect-hub/domain/kernel";
import { instantForm, type LaneId, parseInstant } from "@connect-hub/domain/values";
import { BadSetting } from "@connect-hub/runtime/settings";
import { lastCommitBy } from "./findCommit.ts";
import { laneWith, parsePlace } from "./position.ts";

/**
 * A position of the whole log: `LANE:N,…`, where lanes that are not named are where they are now, or an instant, by which each lane
 * has what was stored until then. Throws `BadSetting` for what is neither, and for a commit beyond the head.
 */
export async function parseVector(text: string, lanes: readonly Lane[]): Promise<ReadonlyMap<LaneId, number>> {
  if (/^\d{4}-/.test(text)) {
    const ms = parseInstant(text);
    if (ms === undefined) throw new BadSetting(`"${text}" is no instant: that is ${instantForm}.`);
    assertPast(ms);
    return new Map(await Promise.all(lanes.map(async (lane) => [lane.id, await lastCommitBy(lane, ms)] as const)));
  }
  const vector = new Map(await Promise.all(lanes.map(async (lane) => [lane.id, await lane.lastNumber()] as const)));
  const named = new Set<LaneId>();
  for (const part of text.split(",")) {
    // 0 is a position too: before the first commit.
    const place = parsePlace(part, 0, 0);
    if (named.has(place.lane)) throw new BadSetting(`"${text}" names ${place.lane} twice.`);
    named.add(place.lane);
    vector.set((await laneWith(place, lanes)).id, place.n);
  }
  return vector;
}

/** Throws `BadSetting` for an instant that has yet to come: nobody knows what there will be. */
export function assertPast(ms: number): void {
  if (ms > Date.now()) throw new BadSetting(`${new Date(ms).toISOString()} has yet to come.`);
}
