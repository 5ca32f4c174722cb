import { limits } from "@connect-hub/domain/values";
import type { RoomEvent } from "@connect-hub/protocol";
import type { Client } from "./client.ts";

/** The newest `wanted` events of a room up to `s`, or as many as there are, ascending; by paging back. */
export async function newestEvents(
  query: Client["query"],
  room: string,
  s: number,
  wanted: number,
): Promise<readonly RoomEvent[]> {
  let events: readonly RoomEvent[] = [];
  let more = s > 0;
  while (more && events.length < wanted) {
    const limit = Math.min(limits.historyPage, wanted - events.length);
    const page = await query("history", { room, before: events[0]?.s ?? s + 1, limit });
    events = [...page.events, ...events];
    more = page.more;
  }
  return events;
}
