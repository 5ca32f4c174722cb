import { commandsTable } from "./commandsTable.ts";

// Only the columns of keys are never null: what a change may set to null is for the domain to say.

/** The statements that make the tables of files, their bytes and nodes in the schema `into`. */
export function contentTables(into: string): string[] {
  return [
    `create table ${into}.files (
      id text collate "C" primary key,
      owner text,
      room_id text,
      filename_visible text,
      filename_internal text,
      uploaded_at timestamptz,
      size bigint,
      hash text collate "C",
      type text,
      state text,
      source text,
      posted_s bigint
    )`,
    `create index files_of_blob on ${into}.files (hash)`,
    `create index claims on ${into}.files (uploaded_at) where state = 'claimed'`,
    `create table ${into}.file_permissions (
      file_id text collate "C",
      room_id text collate "C",
      data jsonb,
      primary key (file_id, room_id)
    )`,
    `create table ${into}.blobs (
      hash text collate "C" primary key,
      size bigint,
      chunks text,
      refs bigint,
      replicas bigint,
      local boolean,
      at timestamptz
    )`,
    `create table ${into}.replicas (
      hash text collate "C",
      node text collate "C",
      name text,
      size bigint,
      state text,
      verified_at timestamptz,
      primary key (hash, node)
    )`,
    `create index replicas_of_node on ${into}.replicas (node)`,
    `create table ${into}.nodes (
      id text collate "C" primary key,
      name text,
      host text,
      port bigint,
      username text,
      path text,
      host_key text,
      state text,
      added_at timestamptz
    )`,
    `create table ${into}.node_names (
      id text collate "C" primary key,
      node text
    )`,
    `create table ${into}.stores (
      id text collate "C" primary key,
      level text,
      used bigint,
      budget bigint,
      at timestamptz
    )`,
    commandsTable(into, "content_commands"),
  ];
}
