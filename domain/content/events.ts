import * as z from "zod";
import type { Change } from "../kernel/change.ts";
import type { ContextModel, DomainEvent, EventDefinition, EventPlace } from "../kernel/event.ts";
import type { JsonObject } from "../values/json.ts";
import { pressureLevels } from "./pressure.ts";
import { contentTables } from "./tables.ts";

// A stored format: a changed shape needs a new version in the type and an upcaster.

/** A file's name is what its owner wrote in the room, so it is sealed and erased as that is. */
const bodyKeyName = (event: DomainEvent): string => `body:${event.data.room}:${event.by}`;

/** File and blob in one. */
const fileClaimed: EventDefinition = {
  type: "FileClaimed.v1",
  about: "Somebody brought a file for a room, or forwarded one to it.",
  subject: "file",
  data: z.strictObject({
    owner: z.string(),
    room: z.string(),
    hash: z.string(),
    size: z.int(),
    type: z.string(),
    chunks: z.string().describe("SHA-256 of each MiB, one after another, base64url; empty where the bytes are known."),
    source: z.string().nullable().describe("The file that it was forwarded from."),
    body: z.strictObject({ name: z.string() }).nullable(),
  }),
  sealed: { body: bodyKeyName },
  changes({ subject, data }, { at }) {
    const { owner = null, room = null, hash = null, size = null, type = null, source = null } = data;
    const file = {
      id: subject.id,
      owner,
      room_id: room,
      filename_visible: (data.body as JsonObject | null)?.name ?? null,
      filename_internal: hash,
      uploaded_at: at,
      size,
      hash,
      type,
      state: "claimed",
      source,
      posted_s: null,
    };
    const blob = { hash, size, chunks: data.chunks ?? null, refs: 0, replicas: 0, local: true, at };
    return [
      { op: "insert", table: "files", row: file },
      { op: "insert", table: "file_permissions", row: { file_id: subject.id, room_id: room, data: {} } },
      { op: "insert", table: "blobs", row: blob },
      { op: "add", table: "blobs", key: [String(hash)], values: { refs: 1 } },
    ];
  },
};

const filePosted: EventDefinition = {
  type: "FilePosted.v1",
  about: "A message of its room has the file.",
  subject: "file",
  data: z.strictObject({ room: z.string(), s: z.int() }),
  sealed: {},
  changes: ({ subject, data }) => [
    { op: "set", table: "files", key: [subject.id], values: { state: "posted", posted_s: data.s ?? null } },
  ],
};

const fileReleased: EventDefinition = {
  type: "FileReleased.v1",
  about: "Nobody can read the file any more.",
  subject: "file",
  data: z.strictObject({
    room: z.string(),
    hash: z.string(),
    reason: z.enum(["deleted", "expired"]).describe("expired: it never was in a message"),
  }),
  sealed: {},
  changes: ({ subject, data }) => [
    { op: "set", table: "files", key: [subject.id], values: { state: "released" } },
    { op: "delete", table: "file_permissions", key: [subject.id, String(data.room)] },
    { op: "add", table: "blobs", key: [String(data.hash)], values: { refs: -1 } },
  ],
};

const nodeAdded: EventDefinition = {
  type: "NodeAdded.v1",
  about: "There is one more node that keeps bytes.",
  subject: "node",
  data: z.strictObject({
    name: z.string(),
    host: z.string(),
    port: z.int(),
    user: z.string(),
    path: z.string(),
    hostKey: z.string(),
  }),
  sealed: {},
  changes({ subject, data }, { at }) {
    const { name = null, host = null, port = null, user = null, path = null, hostKey = null } = data;
    const { id } = subject;
    const row = { id, name, host, port, username: user, path, host_key: hostKey, state: "active", added_at: at };
    return [
      { op: "insert", table: "nodes", row },
      { op: "insert", table: "node_names", row: { id: name, node: id } },
    ];
  },
};

const replicaVerified: EventDefinition = {
  type: "ReplicaVerified.v1",
  about: "The bytes lie on a node and were read back. Once for each hash and node.",
  subject: "blob",
  data: z.strictObject({ node: z.string(), name: z.string().describe("The name of the bytes there."), size: z.int() }),
  sealed: {},
  changes({ subject, data }, { at }) {
    const { node = null, name = null, size = null } = data;
    const row = { hash: subject.id, node, name, size, state: "verified", verified_at: at };
    return [
      { op: "insert", table: "replicas", row },
      { op: "add", table: "blobs", key: [subject.id], values: { replicas: 1 } },
    ];
  },
};

const localCopyDropped = localCopy("LocalCopyDropped.v1", false, "The server's disk promises the bytes no longer.");
const localCopyKept = localCopy(
  "LocalCopyKept.v1",
  true,
  "The server's disk promises them again: an upload brought them.",
);

const diskPressureRaised = pressure("DiskPressureRaised.v1", "The server's disk is fuller than the level before.");
const diskPressureCleared = pressure("DiskPressureCleared.v1", "The server's disk is emptier than the level before.");

const definitions = [
  fileClaimed,
  filePosted,
  fileReleased,
  nodeAdded,
  replicaVerified,
  localCopyDropped,
  localCopyKept,
  diskPressureRaised,
  diskPressureCleared,
];

/** Events and tables of files, their bytes and the nodes that keep them. */
export const contentModel: ContextModel = {
  context: "content",
  tables: contentTables,
  events: Object.fromEntries(definitions.map((definition) => [definition.type, definition])),
  oldEvents: {},
  revision: 1,
  // A file's record and its bytes are counted together. Whatever holds a hash names bytes.
  alsoNamed: ({ subject, data }) =>
    subject.kind === "file" ? hashesIn(data).map((id) => ({ kind: "blob" as const, id })) : [],
};

const hashesIn = (data: JsonObject): string[] => [
  ...new Set(Object.values(data).flatMap((value) => (typeof value === "string" && hash.test(value) ? [value] : []))),
];
const hash = /^[0-9a-f]{64}$/;

function localCopy(type: string, local: boolean, about: string): EventDefinition {
  return {
    type,
    about,
    subject: "blob",
    data: z.strictObject({}),
    sealed: {},
    changes: ({ subject }) => [{ op: "set", table: "blobs", key: [subject.id], values: { local } }],
  };
}

function pressure(type: string, about: string): EventDefinition {
  return {
    type,
    about,
    subject: "store",
    data: z.strictObject({ level: z.enum(pressureLevels), used: z.int(), budget: z.int() }),
    sealed: {},
    changes({ subject, data }, { at }: EventPlace): readonly Change[] {
      const values = { level: data.level ?? null, used: data.used ?? null, budget: data.budget ?? null, at };
      return [
        { op: "insert", table: "stores", row: { id: subject.id, ...values } },
        { op: "set", table: "stores", key: [subject.id], values },
      ];
    },
  };
}
