import type { Table } from "../kernel/fact.ts";

const users: Table = {
  name: "users",
  schema: "auth",
  key: ["id"],
  columns: {
    id: "text",
    email: "text",
    pass_hash: "text",
    name: "text",
    /** `active` or `closed`. */
    status: "text",
    /** A session is valid if its generation is not below this. */
    sessions_from: "int",
    created_at: "instant",
  },
  isFact: true,
  insertsAreNew: true,
  subject: { kind: "account", column: "id" },
};

const userSettings: Table = {
  name: "user_settings",
  schema: "auth",
  key: ["user_id"],
  columns: { user_id: "text", data: "json" },
  isFact: false,
  insertsAreNew: true,
  subject: { kind: "account", column: "user_id" },
};

/** Who has an e-mail address; `id` is its keyed hash. */
const emails: Table = {
  name: "emails",
  schema: "auth",
  key: ["id"],
  columns: { id: "text", user_id: "text" },
  isFact: true,
  insertsAreNew: false,
  subject: { kind: "account", column: "user_id" },
};

const sessions: Table = {
  name: "sessions",
  schema: "auth",
  key: ["id"],
  columns: {
    id: "text",
    user_id: "text",
    token_hash: "text",
    ip: "text",
    user_agent: "text",
    data: "json",
    generation: "int",
    started_at: "instant",
  },
  isFact: true,
  insertsAreNew: true,
  subject: { kind: "account", column: "user_id" },
};

/** The commands done in the accounts lane: what makes a repeated command harmless for ever. */
const accountCommands: Table = {
  name: "account_commands",
  schema: "auth",
  key: ["lane", "actor", "id"],
  columns: { lane: "text", actor: "text", id: "text", kind: "text", digest: "text", result: "json", n: "int" },
  isFact: true,
  insertsAreNew: true,
};

export const accountTables = [users, userSettings, emails, sessions, accountCommands] as const;
