import { type Json, roles, roomTypes } from "@connect-hub/domain/values";
import * as z from "zod/mini";
import { Cursor } from "./clientFrames.ts";
import type { WireError } from "./errors.ts";

const AnyJson = z.custom<Json>((value) => value !== undefined);

/** The version of the protocol, as `hello.v` says it. */
export const protocolVersion = "chat.v1";
/** A socket that has not sent `auth` after this many milliseconds is closed. */
export const authTimeoutMs = 5_000;
/** How often a client sends a heartbeat, in milliseconds. */
export const heartbeatMs = 10_000;

/**
 * One event of a room: `r` room, `s` its number there (1, 2, 3 … without holes), `t` type, `d` what happened, `by` whose
 * doing, `at` when (ISO). Of type `hidden`: it is about a message from before the reader came in; it only counts.
 */
export const RoomEvent = z.object({
  r: z.string(),
  s: z.int(),
  t: z.string(),
  d: z.optional(AnyJson),
  by: z.optional(z.string()),
  at: z.optional(z.string()),
});
export type RoomEvent = z.infer<typeof RoomEvent>;

/**
 * A room as one of its members sees it. `s`: number of its last event; with `epoch` a cursor. `from`: number of the first
 * event that this member may see. A dialog has no name.
 */
export const RoomState = z.object({
  id: z.string(),
  name: z.nullable(z.string()),
  type: z.enum(roomTypes),
  s: z.int(),
  from: z.int(),
  epoch: z.string(),
  role: z.enum(roles),
  members: z.int(),
});
export type RoomState = z.infer<typeof RoomState>;

/** The first frame of the server. */
export const HelloFrame = z.object({
  hello: z.object({
    sid: z.string(),
    v: z.literal(protocolVersion),
    heartbeatMs: z.int(),
    now: z.string(),
    limits: z.record(z.string(), z.number()),
  }),
});
/**
 * The answer to `auth`: who the socket speaks for, and the rooms; `version` goes up when the set of rooms changes. `parked`: rooms that
 * the user may be in, and that can't be read at present (`Parked`).
 */
export const ReadyFrame = z.object({
  ready: z.object({
    user: z.object({ id: z.string(), name: z.nullable(z.string()) }),
    rooms: z.array(RoomState),
    version: z.int(),
    position: z.string(),
    parked: z.optional(z.array(z.string())),
  }),
});
const WireErrorShape = z.custom<WireError>(
  (value) => typeof value === "object" && value !== null && "code" in value && "name" in value && "retry" in value,
);
/** The answer to request `i`: what it came to, and a position token that covers it. */
const OkFrame = z.object({ i: z.int(), ok: AnyJson, p: z.string() });
/** The refusal of request `i`; without `i` it is about the socket. */
const ErrFrame = z.object({ i: z.optional(z.int()), err: WireErrorShape });
/** The answer to a heartbeat: heads of the rooms that changed since the one before. */
export const HeartbeatAnswer = z.object({
  hb: z.object({ n: z.int(), version: z.int(), heads: z.record(z.string(), Cursor) }),
});
/**
 * After a resume, for each room: whether all missed events were sent, and where the room stands. `parked`: it can't be read at present
 * and nothing of it is sent; to be resumed again later, from the cursor that the client has.
 */
export const ResumedFrame = z.object({
  resumed: z.record(z.string(), z.tuple([z.enum(["ok", "reset", "parked"]), z.string(), z.int()])),
});
/** The user came into a room. Its events after `room.s` follow. */
export const RoomFrame = z.object({ room: RoomState });
/** The user is not in the room any more; nothing of it follows. */
export const LeftFrame = z.object({ left: z.object({ r: z.string() }) });
/** The socket read too slowly: the events of these rooms stopped; a resume brings the rest. */
export const ResyncFrame = z.object({ resync: z.object({ rooms: z.array(z.string()) }) });

export type HelloFrame = z.infer<typeof HelloFrame>;
export type ReadyFrame = z.infer<typeof ReadyFrame>;
export type HeartbeatAnswer = z.infer<typeof HeartbeatAnswer>;
export type ResumedFrame = z.infer<typeof ResumedFrame>;
export type RoomFrame = z.infer<typeof RoomFrame>;
export type LeftFrame = z.infer<typeof LeftFrame>;
export type ResyncFrame = z.infer<typeof ResyncFrame>;

/** Anything that a server sends; an array holds events only. */
export const ServerFrame = z.union([
  z.array(RoomEvent).check(z.minLength(1)),
  RoomEvent,
  OkFrame,
  ErrFrame,
  HeartbeatAnswer,
  ResumedFrame,
  RoomFrame,
  LeftFrame,
  ResyncFrame,
  ReadyFrame,
  HelloFrame,
]);
export type ServerFrame = z.infer<typeof ServerFrame>;
