import type { Json, JsonObject } from "@connect-hub/domain/values";

// The read tables as queries see them. `infra/postgres` has a test that holds the columns to those of domain/*/tables.ts.

interface UserRow {
  id: string;
  email: string | null;
  pass_hash: string | null;
  name: string | null;
  status: string;
  sessions_from: number;
  created_at: string;
}

interface SessionRow {
  id: string;
  user_id: string;
  token_hash: string;
  ip: string | null;
  user_agent: string | null;
  data: JsonObject;
  generation: number;
  started_at: string;
}

interface CommandRow {
  lane: string;
  actor: string;
  id: string;
  kind: string;
  digest: string;
  result: Json;
  n: number;
}

interface RoomRow {
  id: string;
  lane: string;
  type: string;
  name: string | null;
  data: JsonObject;
  s: number;
  m: number;
  members: number;
  owners: number;
  created_by: string;
  created_at: string;
}

interface MembershipRow {
  room_id: string;
  user_id: string;
  data: JsonObject;
  role: string;
  joined_s: number;
  joined_at: string;
}

interface MessageRow {
  id: string;
  room_id: string;
  s: number;
  m: number | null;
  data: JsonObject;
  sent_at: string;
  sent_by: string;
  type: string;
  status: string;
}

interface RoomEventRow {
  room_id: string;
  s: number;
  type: string;
  data: Json;
  at: string;
  by: string;
}

interface FileRow {
  id: string;
  owner: string;
  room_id: string;
  filename_visible: string | null;
  filename_internal: string;
  uploaded_at: string;
  size: number;
  hash: string;
  type: string;
  state: string;
  source: string | null;
  posted_s: number | null;
}

interface BlobRow {
  hash: string;
  size: number;
  chunks: string;
  refs: number;
  replicas: number;
  local: boolean;
  at: string;
}

interface ReplicaRow {
  hash: string;
  node: string;
  name: string;
  size: number;
  state: string;
  verified_at: string;
}

interface NodeRow {
  id: string;
  name: string;
  host: string;
  port: number;
  username: string;
  path: string;
  host_key: string;
  state: string;
  added_at: string;
}

/** Where the tables of a schema stand, one row a lane. */
interface CheckpointRow {
  lane: string;
  n: number;
  hash: string;
  epoch: string;
  generation: number;
  facts_version: string;
  halted: string | null;
  at: string;
  stop_at: number | null;
  projector: string | null;
}

/** A subject with an event that can't be applied: that one, of commit `from_n`, and its later ones wait. */
interface ParkedRow {
  lane: string;
  kind: string;
  id: string;
  from_n: number;
  type: string;
  reason: string;
  retry: boolean;
}

/** The generations of the tables of a schema; the public names show those of the one that is `served`. */
interface GenerationRow {
  number: number;
  state: "building" | "served" | "kept";
  facts_version: string;
  made_at: string;
  swapped_at: string | null;
}

/** The database of accounts, for kysely. */
export interface AuthTables {
  "auth.users": UserRow;
  "auth.user_settings": { user_id: string; data: JsonObject };
  "auth.emails": { id: string; user_id: string };
  "auth.sessions": SessionRow;
  "auth.account_commands": CommandRow;
  "auth.checkpoints": CheckpointRow;
  "auth.parked": ParkedRow;
  "auth.generations": GenerationRow;
}

/** The database of rooms and messages, for kysely. */
export interface ChatTables {
  "chat.rooms": RoomRow;
  "chat.memberships": MembershipRow;
  "chat.user_rooms": { user_id: string; lane: string; version: number };
  "chat.messages": MessageRow;
  "chat.room_events": RoomEventRow;
  "chat.room_commands": CommandRow;
  "chat.room_files": { room_id: string; file_id: string; state: string; s: number | null; by: string | null };
  "chat.checkpoints": CheckpointRow;
  "chat.parked": ParkedRow;
  "chat.generations": GenerationRow;
}

/** The database of files, their bytes and the nodes that keep them, for kysely. */
export interface ContentTables {
  "content.files": FileRow;
  "content.file_permissions": { file_id: string; room_id: string; data: JsonObject };
  "content.blobs": BlobRow;
  "content.replicas": ReplicaRow;
  "content.nodes": NodeRow;
  "content.node_names": { id: string; node: string };
  "content.stores": { id: string; level: string; used: number; budget: number; at: string };
  "content.content_commands": CommandRow;
  "content.checkpoints": CheckpointRow;
  "content.parked": ParkedRow;
  "content.generations": GenerationRow;
}
