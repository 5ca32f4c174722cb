import * as z from "zod/mini";

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const uuidV7Pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A lower-case UUID of any version: the id of a person, a room or a session. */
export const Id = z.string().check(z.regex(uuidPattern, "must be a lower-case UUID"));

/** The id that a client makes for one command: a lower-case UUIDv7. */
export const CommandId = z.string().check(z.regex(uuidV7Pattern, "must be a lower-case UUIDv7"));

/** The instant in a UUIDv7, in milliseconds since 1970. */
export function uuidV7Time(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** A lane's name, `<context>.<number>`, for example `rooms.0`. */
export type LaneId = `${Context}.${number}`;

/** The bounded contexts that have lanes of their own. */
export const contexts = ["accounts", "rooms", "content"] as const;
export type Context = (typeof contexts)[number];

/** The context in a lane's name. */
export function contextOf(lane: LaneId): Context {
  return lane.slice(0, lane.indexOf(".")) as Context;
}
