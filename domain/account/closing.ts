import type { Command, CommandReply } from "../kernel/command.ts";
import { derivedId, laneOf } from "../kernel/derivedId.ts";
import type { DomainEvent, EventPlace } from "../kernel/event.ts";
import type { LaneId } from "../values/ids.ts";
import type { JsonObject } from "../values/json.ts";
import { isRetryable } from "../values/rejections.ts";

/** What the reactor of the accounts lane needs of the world. */
export interface ClosingPorts {
  readonly roomLanes: number;
  now(): number;
  /** Resolves when the read tables of the accounts lane have commit `n`: no decision after it takes the account for active. */
  accountsReached(n: number, signal: AbortSignal): Promise<void>;
  /** The rooms of a person, read from tables that have everything committed before the call. */
  roomsOf(user: string): Promise<readonly { readonly room: string; readonly joinedS: number }[]>;
  send(lane: LaneId, command: Command): Promise<CommandReply>;
  /** Destroys the vault keys whose name starts so. */
  destroyKeys(prefix: string): Promise<unknown>;
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/**
 * What follows from a closed account: it leaves its rooms, its personal data is erased by destroying its key, and the
 * receipt goes on the log. Commands that were decided while the account still looked active in the tables may add it to a
 * room once more, so the rooms are looked at again when the longest time that such a command can live has passed since the
 * tables knew, and until a look finds nothing.
 */
export async function closeAccountFully(
  event: DomainEvent,
  place: EventPlace,
  ports: ClosingPorts,
  signal: AbortSignal,
): Promise<void> {
  if (event.type !== "AccountClosed.v1") return;
  const user = event.subject.id;
  await ports.accountsReached(place.n, signal);
  const noneDecidesAfter = ports.now() + longestCommandMs;
  await leaveAllRooms(user, place, ports);
  do {
    await ports.wait(noneDecidesAfter - ports.now(), signal);
    if (signal.aborted) return;
  } while ((await leaveAllRooms(user, place, ports)) > 0);
  await ports.destroyKeys(`account:${user}`);
  await insist(ports, "accounts.0", command(place, user, "recordErasure", { user }, ports.now()));
}

/** How many rooms there were to leave. */
async function leaveAllRooms(user: string, place: EventPlace, ports: ClosingPorts): Promise<number> {
  const rooms = await ports.roomsOf(user);
  for (const { room, joinedS } of rooms) {
    const lane = laneOf("rooms", room, ports.roomLanes);
    await insist(ports, lane, command(place, room, "evictMember", { room, user }, ports.now(), String(joinedS)));
  }
  return rooms.length;
}

function command(
  place: EventPlace,
  subject: string,
  kind: Command["kind"],
  data: JsonObject,
  nowMs: number,
  again = "",
): Command {
  const cause = `${place.lane}:${place.n}`;
  const id = derivedId(Date.parse(place.at), cause, subject, kind, JSON.stringify(data), again);
  return { key: { actor: "system", id }, kind, subject, data, deadlineAt: nowMs + 5_000 };
}

/** Sends until it is done. What is refused for good throws: the reactor says so and tries again. */
async function insist(ports: ClosingPorts, lane: LaneId, sent: Command): Promise<void> {
  const reply = await ports.send(lane, sent);
  if ("ok" in reply) return;
  const again = isRetryable(reply.refused.code) ? "try again" : "this is a bug";
  throw new Error(`${sent.kind} for ${sent.subject} was refused: ${reply.refused.code}; ${again}`);
}

/** No command is decided later than this after it was sent. */
const longestCommandMs = 15_000;
