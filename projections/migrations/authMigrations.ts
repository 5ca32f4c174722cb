import { type Migration, sql } from "kysely";
import { checkpointsTable } from "./checkpointsTable.ts";

// Only the columns of keys are never null: what a change may set to null is for the domain to say.

/** The migrations of the schema `auth`, in the order of their names. One that was released is never changed. */
export const authMigrations: { readonly [name: string]: Migration } = {
  "0001Tables": {
    async up(db) {
      await sql`create table auth.users (
        id text collate "C" primary key,
        email text,
        pass_hash text,
        name text,
        status text,
        sessions_from bigint,
        created_at timestamptz
      )`.execute(db);
      await sql`create table auth.user_settings (
        user_id text collate "C" primary key,
        data jsonb
      )`.execute(db);
      await sql`create table auth.emails (
        id text collate "C" primary key,
        user_id text
      )`.execute(db);
      await sql`create table auth.sessions (
        id text collate "C" primary key,
        user_id text,
        token_hash text,
        ip text,
        user_agent text,
        data jsonb,
        generation bigint,
        started_at timestamptz
      )`.execute(db);
      await sql`create index sessions_of_user on auth.sessions (user_id)`.execute(db);
      await sql`create table auth.account_commands (
        lane text collate "C",
        actor text collate "C",
        id text collate "C",
        kind text,
        digest text,
        result jsonb,
        n bigint,
        primary key (lane, actor, id)
      )`.execute(db);
      await checkpointsTable("auth").execute(db);
    },
  },
};
