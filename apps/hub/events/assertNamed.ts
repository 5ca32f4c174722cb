import type { Lane } from "@connect-hub/domain/kernel";
import { NotThere } from "../exitCodes.ts";
import type { EventFilter } from "./eventFilter.ts";
import { wantedEvents } from "./wantedEvents.ts";

/** Throws `NotThere` when no event of these lanes names the room, or the account, that is asked for: to find nothing of it tells nothing then. */
export async function assertNamed(
  lanes: readonly Lane[],
  { room, account }: EventFilter,
  signal: AbortSignal,
): Promise<void> {
  const asked = [
    ...(room === undefined ? [] : [["room", room, { room }] as const]),
    ...(account === undefined ? [] : [["account", account, { account }] as const]),
  ];
  for (const [kind, id, filter] of asked) {
    const found = await Promise.all(lanes.map((lane) => isNamed(lane, filter, signal)));
    signal.throwIfAborted();
    if (found.includes(true)) continue;
    throw new NotThere(`No event of ${lanes.map((lane) => lane.id).join(", ")} names the ${kind} ${id}.`);
  }
}

async function isNamed(lane: Lane, filter: EventFilter, signal: AbortSignal): Promise<boolean> {
  const range = { from: 1, to: await lane.lastNumber() };
  for await (const _ of wantedEvents(lane, range, filter, { signal })) return true;
  return false;
}
