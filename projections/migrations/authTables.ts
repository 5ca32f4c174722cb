import { commandsTable } from "./commandsTable.ts";

// Only the columns of keys are never null: what a change may set to null is for the domain to say.

/** The statements that make the tables of accounts in the schema `into`. */
export function authTables(into: string): string[] {
  return [
    `create table ${into}.users (
      id text collate "C" primary key,
      email text,
      pass_hash text,
      name text,
      status text,
      sessions_from bigint,
      created_at timestamptz
    )`,
    `create table ${into}.user_settings (
      user_id text collate "C" primary key,
      data jsonb
    )`,
    `create table ${into}.emails (
      id text collate "C" primary key,
      user_id text
    )`,
    `create table ${into}.sessions (
      id text collate "C" primary key,
      user_id text,
      token_hash text,
      ip text,
      user_agent text,
      data jsonb,
      generation bigint,
      started_at timestamptz
    )`,
    `create index sessions_of_user on ${into}.sessions (user_id)`,
    commandsTable(into, "account_commands"),
  ];
}
