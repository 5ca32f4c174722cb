import { commandsTable } from "./commandsTable.ts";

// Only the columns of keys are never null: what a change may set to null is for the domain to say.
// Rooms and counters of rooms change with every event: room on their pages keeps an update from touching the indexes.

/** The statements that make the tables of rooms and messages in the schema `into`. */
export function chatTables(into: string): string[] {
  return [
    `create table ${into}.rooms (
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
    ) with (fillfactor = 70)`,
    `create table ${into}.memberships (
      room_id text collate "C",
      user_id text collate "C",
      data jsonb,
      role text,
      joined_s bigint,
      joined_at timestamptz,
      primary key (room_id, user_id)
    )`,
    `create index memberships_of_user on ${into}.memberships (user_id, room_id)`,
    `create table ${into}.user_rooms (
      user_id text collate "C",
      lane text collate "C",
      version bigint,
      primary key (user_id, lane)
    ) with (fillfactor = 70)`,
    `create table ${into}.messages (
      id text collate "C" primary key,
      room_id text collate "C",
      s bigint,
      m bigint,
      data jsonb,
      sent_at timestamptz,
      sent_by text,
      type text,
      status text
    )`,
    `create table ${into}.room_events (
      room_id text collate "C",
      s bigint,
      type text,
      data jsonb,
      at timestamptz,
      by text,
      primary key (room_id, s)
    )`,
    commandsTable(into, "room_commands"),
    `create table ${into}.room_files (
      room_id text collate "C",
      file_id text collate "C",
      state text,
      s bigint,
      by text,
      primary key (room_id, file_id)
    )`,
  ];
}
