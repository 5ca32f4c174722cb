import type { Command, CommandReply } from "../kernel/command.ts";
import { derivedId, laneOf } from "../kernel/derivedId.ts";
import type { DomainEvent, EventPlace } from "../kernel/event.ts";
import type { LaneId } from "../values/ids.ts";
import type { JsonObject } from "../values/json.ts";

/** What the reactors of content need of the world. */
export interface ContentPorts {
  readonly roomLanes: number;
  now(): number;
  send(lane: LaneId, command: Command): Promise<CommandReply>;
}

/** A file that nobody has posted in time. */
export interface DueClaim {
  readonly file: string;
  readonly room: string;
  /** The instant of the claim, ISO. */
  readonly claimedAt: string;
}

/** The types of events of rooms that files depend on; commits without them are of no interest. */
export const fileReactionTypes = ["MessageWithFilesPosted.v1", "MessageWithFilesDeleted.v1"] as const;

/** What follows in the lane of content from an event of a room: a message's files are posted, or released with it. */
export async function followMessage(event: DomainEvent, place: EventPlace, ports: ContentPorts): Promise<void> {
  const room = event.subject.id;
  const cause = `${place.lane}:${place.n}`;
  for (const file of filesIn(event)) {
    const told =
      event.type === "MessageWithFilesPosted.v1"
        ? ({ kind: "confirmFile", data: { file, room, s: event.s ?? 0 } } as const)
        : ({ kind: "releaseFile", data: { file, reason: "deleted" } } as const);
    await insist(ports, "content.0", command(ports, told.kind, file, told.data, { atMs: Date.parse(place.at), cause }));
  }
}

/**
 * What becomes of a claim whose time is over. Only the room can tell whether it was posted: it voids the claim, which no post can
 * use any more, and then the file is released; or it has a message with it.
 */
export async function settleClaim({ file, room, claimedAt }: DueClaim, ports: ContentPorts): Promise<void> {
  const from = { atMs: Date.parse(claimedAt), cause: "expiry" };
  const lane = laneOf("rooms", room, ports.roomLanes);
  const found = (await insist(ports, lane, command(ports, "voidClaim", room, { room, file }, from))) as {
    readonly state: string;
    readonly s: number | null;
  };
  if (found.state === "posted") {
    const data = { file, room, s: found.s ?? 0 };
    await insist(ports, "content.0", command(ports, "confirmFile", file, data, from));
    return;
  }
  const reason = found.state === "deleted" ? "deleted" : "expired";
  await insist(ports, "content.0", command(ports, "releaseFile", file, { file, reason }, from));
}

function command(
  ports: ContentPorts,
  kind: Command["kind"],
  subject: string,
  data: JsonObject,
  { atMs, cause }: { readonly atMs: number; readonly cause: string },
): Command {
  const id = derivedId(atMs, cause, subject, kind, JSON.stringify(data));
  return { key: { actor: "system", id }, kind, subject, data, deadlineAt: ports.now() + deadlineMs };
}

/** Sends once; what was not done throws, and whoever called tries again later. */
async function insist(ports: ContentPorts, lane: LaneId, sent: Command): Promise<unknown> {
  const reply = await ports.send(lane, sent);
  if ("ok" in reply) return reply.ok;
  throw new Error(`${sent.kind} for ${sent.subject} was refused: ${reply.refused.code}`);
}

function filesIn(event: DomainEvent): readonly string[] {
  const isOurs = fileReactionTypes.some((type) => type === event.type);
  return isOurs && Array.isArray(event.data.files) ? event.data.files.map(String) : [];
}

const deadlineMs = 5_000;
