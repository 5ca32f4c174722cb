import type { Table } from "../kernel/fact.ts";

/** The record of a file in one room: who brought it, what it is called, which bytes it has. */
const files: Table = {
  name: "files",
  schema: "content",
  key: ["id"],
  columns: {
    id: "text",
    owner: "text",
    room_id: "text",
    /** As its owner named it; null once that was erased. */
    filename_visible: "text",
    /** The hash of its bytes. */
    filename_internal: "text",
    uploaded_at: "instant",
    size: "int",
    /** SHA-256, 64 hex digits. */
    hash: "text",
    /** Its media type, as the uploader said. */
    type: "text",
    /** `claimed`, `posted` or `released`. */
    state: "text",
    /** The file that it was forwarded from. */
    source: "text",
    /** The `s` of the message that it stands in. */
    posted_s: "int",
  },
  isFact: true,
  insertsAreNew: true,
  subject: { kind: "file", column: "id" },
  also: { kind: "blob", column: "hash" },
};

/** The rooms whose members may read a file. */
const filePermissions: Table = {
  name: "file_permissions",
  schema: "content",
  key: ["file_id", "room_id"],
  columns: { file_id: "text", room_id: "text", data: "json" },
  isFact: false,
  insertsAreNew: false,
  subject: { kind: "file", column: "file_id" },
};

/** Bytes, whatever files have them. */
const blobs: Table = {
  name: "blobs",
  schema: "content",
  key: ["hash"],
  columns: {
    hash: "text",
    size: "int",
    /** The SHA-256 (32 bytes) of each 1 MiB piece, one after another, as base64url. */
    chunks: "text",
    /** How many files that are not released have them. */
    refs: "int",
    /** On how many nodes they were verified. */
    replicas: "int",
    /** Whether the server's disk promises to have them. */
    local: "bool",
    at: "instant",
  },
  isFact: true,
  insertsAreNew: false,
  subject: { kind: "blob", column: "hash" },
};

/** Bytes on a node, read back and found right. */
const replicas: Table = {
  name: "replicas",
  schema: "content",
  key: ["hash", "node"],
  columns: {
    hash: "text",
    node: "text",
    /** The name of the file on the node. */
    name: "text",
    size: "int",
    /** `verified`. */
    state: "text",
    verified_at: "instant",
  },
  isFact: true,
  insertsAreNew: false,
  subject: { kind: "blob", column: "hash" },
};

/** A machine that keeps bytes, reached by ssh. */
const nodes: Table = {
  name: "nodes",
  schema: "content",
  key: ["id"],
  columns: {
    id: "text",
    name: "text",
    host: "text",
    port: "int",
    username: "text",
    path: "text",
    /** `SHA256:…`, as OpenSSH prints it. */
    host_key: "text",
    /** `active`. */
    state: "text",
    added_at: "instant",
  },
  isFact: true,
  insertsAreNew: true,
  subject: { kind: "node", column: "id" },
};

/** Which node has a name; `id` is the name. */
const nodeNames: Table = {
  name: "node_names",
  schema: "content",
  key: ["id"],
  columns: { id: "text", node: "text" },
  isFact: true,
  insertsAreNew: false,
  subject: { kind: "node", column: "node" },
};

/** How full the disks for files are; `local` is the server's. */
const stores: Table = {
  name: "stores",
  schema: "content",
  key: ["id"],
  columns: {
    id: "text",
    /** One of `pressureLevels`. */
    level: "text",
    /** Bytes, when the level last changed. */
    used: "int",
    budget: "int",
    at: "instant",
  },
  isFact: true,
  insertsAreNew: false,
  subject: { kind: "store", column: "id" },
};

/** The commands done in the lane of content: what makes a repeated command harmless for ever. */
const contentCommands: Table = {
  name: "content_commands",
  schema: "content",
  key: ["lane", "actor", "id"],
  columns: { lane: "text", actor: "text", id: "text", kind: "text", digest: "text", result: "json", n: "int" },
  isFact: true,
  insertsAreNew: true,
};

export const contentTables = [
  files,
  filePermissions,
  blobs,
  replicas,
  nodes,
  nodeNames,
  stores,
  contentCommands,
] as const;
