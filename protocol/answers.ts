import { type CommandName, Id, type Json, roles, roomTypes } from "@connect-hub/domain/values";
import * as z from "zod/mini";
import { Cursor } from "./clientFrames.ts";
import type { CommandAnswers } from "./commandAnswers.ts";
import type { FileAnswer, UploadAnswer } from "./files.ts";
import type { QueryAnswers, QueryName } from "./queries.ts";
import { RoomEvent, RoomState } from "./serverFrames.ts";

// What the answers look like, for programs: the OpenAPI document is made of it, and tests hold answers to it. Nothing that a client
// runs imports this.

const Count = z.int().check(z.gte(0));
const Instant = z.string();
const Nothing = z.object({});
const Epoch = Cursor.def.items[0];
const RoomAnswer = z.object({ room: Id, s: Count });
const Person = z.object({ id: Id, name: z.string() });
const Role = z.enum(roles);

/** What an upload and a forward answer. */
export const fileAnswer = z.object({
  file: Id,
  name: z.string(),
  type: z.string(),
  size: Count,
  hash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
}) satisfies z.ZodMiniType<FileAnswer>;

/** How far an upload is. */
export const uploadAnswer = z.object({
  upload: Id,
  offset: Count,
  size: Count,
  expiresAt: Instant,
}) satisfies z.ZodMiniType<UploadAnswer>;

/** The `ok` of each command. */
export const commandAnswers = {
  register: z.object({ user: Id }),
  signIn: z.object({ user: Id, session: Id, token: z.string() }),
  signOut: Nothing,
  closeAccount: Nothing,
  createRoom: RoomAnswer,
  openDialog: RoomAnswer,
  renameRoom: RoomAnswer,
  addMember: RoomAnswer,
  removeMember: RoomAnswer,
  leaveRoom: RoomAnswer,
  postMessage: z.object({ room: Id, s: Count, m: Count }),
  editMessage: RoomAnswer,
  deleteMessage: RoomAnswer,
  forwardFile: fileAnswer,
} as const satisfies { readonly [K in CommandName]: z.ZodMiniType<CommandAnswers[K]> };

/** The `ok` of each query. */
export const queryAnswers = {
  rooms: z.object({ rooms: z.array(RoomState), version: Count, parked: z.exactOptional(z.array(Id)) }),
  history: z.object({ events: z.array(RoomEvent), more: z.boolean(), epoch: Epoch, head: Count }),
  asOf: z.object({
    s: Count,
    at: Instant,
    epoch: Epoch,
    type: z.enum(roomTypes),
    name: z.nullable(z.string()),
    members: z.array(z.object({ id: Id, role: Role })),
    memberCount: Count,
    messages: z.array(
      z.object({
        s: Count,
        by: z.string(),
        at: Instant,
        text: z.nullable(z.string()),
        files: z.exactOptional(z.array(z.custom<Json>((value) => value !== undefined))),
        edited: z.boolean(),
        deleted: z.boolean(),
      }),
    ),
    more: z.boolean(),
  }),
  members: z.object({ members: z.array(z.object({ ...Person.shape, role: Role })), more: z.boolean() }),
  people: z.object({ people: z.array(Person), parked: z.exactOptional(z.array(Id)) }),
  findPerson: Person,
} as const satisfies { readonly [K in QueryName]: z.ZodMiniType<QueryAnswers[K]> };
