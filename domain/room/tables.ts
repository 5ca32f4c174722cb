import type { Table } from "../kernel/fact.ts";

const rooms: Table = {
  name: "rooms",
  schema: "chat",
  key: ["id"],
  columns: {
    id: "text",
    lane: "text",
    type: "text",
    name: "text",
    /** `{roles: [{id, name, permissions}], permissions}` as in the founding document. */
    data: "json",
    /** The number of the room's last event. */
    s: "int",
    /** The ordinal of its last message. */
    m: "int",
    members: "int",
    owners: "int",
    created_by: "text",
    created_at: "instant",
  },
  isFact: true,
  insertsAreNew: true,
  subject: { kind: "room", column: "id" },
};

const memberships: Table = {
  name: "memberships",
  schema: "chat",
  key: ["room_id", "user_id"],
  columns: {
    room_id: "text",
    user_id: "text",
    /** `{is_muted}` */
    data: "json",
    role: "text",
    /** The number of the event by which the person came in. */
    joined_s: "int",
    joined_at: "instant",
  },
  isFact: true,
  insertsAreNew: false,
  subject: { kind: "room", column: "room_id" },
};

/** Goes up with each room that a person enters or leaves in one lane: a sum over rooms, so that none of them decides it. */
const userRooms: Table = {
  name: "user_rooms",
  schema: "chat",
  key: ["user_id", "lane"],
  columns: { user_id: "text", lane: "text", version: "int" },
  isFact: true,
  insertsAreNew: false,
};

const messages: Table = {
  name: "messages",
  schema: "chat",
  key: ["id"],
  columns: {
    /** `<room id>:<s>` */
    id: "text",
    room_id: "text",
    s: "int",
    /** Null for what is not a person's message. */
    m: "int",
    data: "json",
    sent_at: "instant",
    sent_by: "text",
    type: "text",
    status: "text",
  },
  isFact: true,
  insertsAreNew: true,
  subject: { kind: "room", column: "id", before: ":" },
};

/** What became of the files that were brought for a room; a file that is in none of these states may still be posted. */
const roomFiles: Table = {
  name: "room_files",
  schema: "chat",
  key: ["room_id", "file_id"],
  columns: {
    room_id: "text",
    file_id: "text",
    /** `posted`, `deleted` (with its message) or `voided` (its time was over before it was posted). */
    state: "text",
    /** The message that has it, and who posted that; null for `voided`. */
    s: "int",
    by: "text",
  },
  isFact: true,
  insertsAreNew: false,
  subject: { kind: "room", column: "room_id" },
};

/** A room's history as clients get it: the public part of each event. */
const roomEvents: Table = {
  name: "room_events",
  schema: "chat",
  key: ["room_id", "s"],
  columns: { room_id: "text", s: "int", type: "text", data: "json", at: "instant", by: "text" },
  isFact: false,
  insertsAreNew: true,
  subject: { kind: "room", column: "room_id" },
};

/** The commands done in the lanes of rooms: what makes a repeated command harmless for ever. */
const roomCommands: Table = {
  name: "room_commands",
  schema: "chat",
  key: ["lane", "actor", "id"],
  columns: { lane: "text", actor: "text", id: "text", kind: "text", digest: "text", result: "json", n: "int" },
  isFact: true,
  insertsAreNew: true,
};

export const roomTables = [rooms, memberships, userRooms, messages, roomEvents, roomCommands, roomFiles] as const;
