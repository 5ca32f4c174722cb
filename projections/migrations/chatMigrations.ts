import { type Migration, sql } from "kysely";
import { checkpointsTable } from "./checkpointsTable.ts";

// Only the columns of keys are never null: what a change may set to null is for the domain to say.
// Rooms and counters of rooms change with every event: room on their pages keeps an update from touching the indexes.

/** The migrations of the schema `chat`, in the order of their names. One that was released is never changed. */
export const chatMigrations: { readonly [name: string]: Migration } = {
  "0001Tables": {
    async up(db) {
      await sql`create table chat.rooms (
        id text collate "C" primary key,
        lane text,
        type text,
        name text,
        data jsonb,
        s bigint,
        m bigint,
        members bigint,
        owners bigint,
        created_by text,
        created_at timestamptz
      ) with (fillfactor = 70)`.execute(db);
      await sql`create table chat.memberships (
        room_id text collate "C",
        user_id text collate "C",
        data jsonb,
        role text,
        joined_s bigint,
        joined_at timestamptz,
        primary key (room_id, user_id)
      )`.execute(db);
      await sql`create index memberships_of_user on chat.memberships (user_id, room_id)`.execute(db);
      await sql`create table chat.user_rooms (
        user_id text collate "C",
        lane text collate "C",
        version bigint,
        primary key (user_id, lane)
      ) with (fillfactor = 70)`.execute(db);
      await sql`create table chat.messages (
        id text collate "C" primary key,
        room_id text collate "C",
        s bigint,
        m bigint,
        data jsonb,
        sent_at timestamptz,
        sent_by text,
        type text,
        status text
      )`.execute(db);
      await sql`create index messages_of_room on chat.messages (room_id, s)`.execute(db);
      await sql`create table chat.room_events (
        room_id text collate "C",
        s bigint,
        type text,
        data jsonb,
        at timestamptz,
        by text,
        primary key (room_id, s)
      )`.execute(db);
      await sql`create table chat.room_commands (
        lane text collate "C",
        actor text collate "C",
        id text collate "C",
        kind text,
        digest text,
        result jsonb,
        n bigint,
        primary key (lane, actor, id)
      )`.execute(db);
      await checkpointsTable("chat").execute(db);
    },
  },
  "0002RoomFiles": {
    async up(db) {
      await sql`create table chat.room_files (
        room_id text collate "C",
        file_id text collate "C",
        state text,
        s bigint,
        by text,
        primary key (room_id, file_id)
      )`.execute(db);
    },
  },
};
