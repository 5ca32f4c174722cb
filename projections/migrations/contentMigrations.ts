import { type Migration, sql } from "kysely";
import { checkpointsTable } from "./checkpointsTable.ts";

// Only the columns of keys are never null: what a change may set to null is for the domain to say.

/** The migrations of the schema `content`, in the order of their names. One that was released is never changed. */
export const contentMigrations: { readonly [name: string]: Migration } = {
  "0001Tables": {
    async up(db) {
      await sql`create table content.files (
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
      )`.execute(db);
      await sql`create index files_of_blob on content.files (hash)`.execute(db);
      await sql`create index claims on content.files (uploaded_at) where state = 'claimed'`.execute(db);
      await sql`create table content.file_permissions (
        file_id text collate "C",
        room_id text collate "C",
        data jsonb,
        primary key (file_id, room_id)
      )`.execute(db);
      await sql`create table content.blobs (
        hash text collate "C" primary key,
        size bigint,
        chunks text,
        refs bigint,
        replicas bigint,
        local boolean,
        at timestamptz
      )`.execute(db);
      await sql`create table content.replicas (
        hash text collate "C",
        node text collate "C",
        name text,
        size bigint,
        state text,
        verified_at timestamptz,
        primary key (hash, node)
      )`.execute(db);
      await sql`create index replicas_of_node on content.replicas (node)`.execute(db);
      await sql`create table content.nodes (
        id text collate "C" primary key,
        name text,
        host text,
        port bigint,
        username text,
        path text,
        host_key text,
        state text,
        added_at timestamptz
      )`.execute(db);
      await sql`create table content.node_names (
        id text collate "C" primary key,
        node text
      )`.execute(db);
      await sql`create table content.stores (
        id text collate "C" primary key,
        level text,
        used bigint,
        budget bigint,
        at timestamptz
      )`.execute(db);
      await sql`create table content.content_commands (
        lane text collate "C",
        actor text collate "C",
        id text collate "C",
        kind text,
        digest text,
        result jsonb,
        n bigint,
        primary key (lane, actor, id)
      )`.execute(db);
      await checkpointsTable("content").execute(db);
    },
  },
};
