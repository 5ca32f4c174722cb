import * as z from "zod";
import type { Change } from "../kernel/change.ts";
import type { ContextModel, DomainEvent, EventDefinition, EventPlace } from "../kernel/event.ts";
import type { Json, JsonObject } from "../values/json.ts";
import { type MessageStatus, type MessageType, type Role, roles, roomTypes } from "../values/roomTypes.ts";
import { oldRoomEvents } from "./oldEvents.ts";
import { roomTables } from "./tables.ts";

// A stored format: a changed shape needs a new version in the type and an upcaster.

const Member = z.strictObject({ user: z.string(), role: z.enum(roles) });
const Body = z.strictObject({ text: z.string() }).nullable();

const File = z.strictObject({
  id: z.string(),
  name: z.string().nullable(),
  size: z.int().nullable(),
  type: z.string().nullable(),
});
const BodyWithFiles = z.strictObject({ text: z.string(), files: z.array(File).min(1) }).nullable();
const Message = z.int().describe("The number in the room of the post that it is about.");
const Edits = z.array(z.int()).describe("The numbers of the edits of that post before.");
const Files = z.array(z.string()).min(1).describe("The ids of its files.");
const EditedBody = z.strictObject({ text: z.string(), files: z.array(File) }).nullable();

/** What a message shows of a file; its name is null once that was erased, all but its id once the message was. */
export type MessageFile = z.infer<typeof File>;

/** The vault key of what one person wrote in one room. */
const bodyKeyName = (event: DomainEvent): string => `body:${event.subject.id}:${event.by}`;
const sealedBody = { body: bodyKeyName };

const roomCreated: EventDefinition = {
  type: "RoomCreated.v1",
  about: "A room is there, with its first members.",
  subject: "room",
  data: z.strictObject({ type: z.enum(roomTypes), name: z.string().nullable(), members: z.array(Member).min(1) }),
  sealed: {},
  public: ({ data }) => ({ t: "roomCreated", d: data }),
  membership: ({ data }) => ({ enter: membersIn(data).map((member) => member.user), leave: [] }),
  changes(event, place) {
    const members = membersIn(event.data);
    const room = {
      id: event.subject.id,
      lane: place.lane,
      type: event.data.type ?? null,
      name: event.data.name ?? null,
      data: { roles: [], permissions: {} },
      s: 1,
      m: 0,
      members: members.length,
      owners: members.filter((member) => member.role === "owner").length,
      created_by: event.by,
      created_at: place.at,
    };
    return [
      { op: "insert", table: "rooms", row: room },
      historyRow(event, place, roomCreated),
      notice(event, place, "event", { event: "roomCreated" }),
      ...members.flatMap((member) => enters(event, place, member)),
    ];
  },
};

const roomRenamed: EventDefinition = {
  type: "RoomRenamed.v1",
  about: "The room has another name.",
  subject: "room",
  data: z.strictObject({ name: z.string() }),
  sealed: {},
  public: ({ data }) => ({ t: "roomRenamed", d: data }),
  changes: (event, place) => [
    { op: "set", table: "rooms", key: [event.subject.id], values: { s: sOf(event), name: event.data.name ?? null } },
    historyRow(event, place, roomRenamed),
    notice(event, place, "event", { event: "roomRenamed", name: event.data.name ?? null }),
  ],
};

const memberAdded: EventDefinition = {
  type: "MemberAdded.v1",
  about: "A member let somebody in.",
  subject: "room",
  data: Member,
  sealed: {},
  public: ({ data }) => ({ t: "memberAdded", d: data }),
  membership: ({ data }) => ({ enter: [String(data.user)], leave: [] }),
  changes: (event, place) => [
    { op: "set", table: "rooms", key: [event.subject.id], values: { s: sOf(event) } },
    { op: "add", table: "rooms", key: [event.subject.id], values: { members: 1, owners: ownersIn(event) } },
    historyRow(event, place, memberAdded),
    notice(event, place, "user_joined", { user: event.data.user ?? null }),
    ...enters(event, place, { user: String(event.data.user), role: event.data.role as Role }),
  ],
};

const memberLeft = leaving("MemberLeft.v1", "memberLeft", "Somebody left, or had to because their account was closed.");
const memberRemoved = leaving("MemberRemoved.v1", "memberRemoved", "An owner removed somebody.");

const messagePosted: EventDefinition = {
  type: "MessagePosted.v1",
  about: "A message without files.",
  subject: "room",
  data: z.strictObject({ body: Body }),
  sealed: sealedBody,
  public: ({ data }) => ({ t: "messagePosted", d: { text: textOf(data) } }),
  changes(event, place) {
    const m = event.m ?? null;
    return [
      { op: "set", table: "rooms", key: [event.subject.id], values: { s: sOf(event), m } },
      historyRow(event, place, messagePosted),
      notice(event, place, "message", { text: textOf(event.data), edits: [] }, m),
    ];
  },
};

const messageWithFilesPosted: EventDefinition = {
  type: "MessageWithFilesPosted.v1",
  about: "A message with files, with or without a text.",
  subject: "room",
  data: z.strictObject({ files: Files, body: BodyWithFiles }),
  sealed: sealedBody,
  public: ({ data }) => ({ t: "messagePosted", d: { text: textOf(data), files: filesOf(data) } }),
  changes(event, place) {
    const { id: room } = event.subject;
    const [m, s] = [event.m ?? null, sOf(event)];
    const data = { text: textOf(event.data), files: filesOf(event.data), edits: [] };
    return [
      { op: "set", table: "rooms", key: [room], values: { s, m } },
      historyRow(event, place, messageWithFilesPosted),
      notice(event, place, "message", data, m),
      ...textsIn(event.data.files).map((file): Change => {
        const row = { room_id: room, file_id: file, state: "posted", s, by: event.by };
        return { op: "insert", table: "room_files", row };
      }),
    ];
  },
};

/** It has no `s`: nobody sees it. */
const claimVoided: EventDefinition = {
  type: "ClaimVoided.v1",
  about: "A file that was brought for this room was not posted in time, and never will be. Nobody is told.",
  subject: "room",
  data: z.strictObject({ file: z.string() }),
  sealed: {},
  changes({ subject, data }) {
    const row = { room_id: subject.id, file_id: data.file ?? null, state: "voided", s: null, by: null };
    return [{ op: "insert", table: "room_files", row }];
  },
};

/** The files stand here again because the row is set as a whole. */
const messageEdited: EventDefinition = {
  type: "MessageEdited.v2",
  about: "A message has another text; its files, if it has any, stay as they are.",
  subject: "room",
  data: z.strictObject({
    message: Message,
    edits: Edits,
    files: z.array(z.string()).describe("The ids of the files that the message has."),
    body: EditedBody,
  }),
  sealed: sealedBody,
  public: ({ data }) => ({ t: "messageEdited", d: { message: data.message ?? null, text: textOf(data) } }),
  changes(event, place) {
    const s = sOf(event);
    const files = textsIn(event.data.files).length === 0 ? {} : { files: filesOf(event.data) };
    const data = { text: textOf(event.data), ...files, edits: [...numbersIn(event.data.edits), s] };
    const key = [messageId(event, event.data.message)];
    return [
      { op: "set", table: "rooms", key: [event.subject.id], values: { s } },
      historyRow(event, place, messageEdited),
      { op: "set", table: "messages", key, values: { data, status: "edited" satisfies MessageStatus } },
    ];
  },
};

const messageDeleted: EventDefinition = {
  type: "MessageDeleted.v1",
  about: "A message without files is deleted: its text is blanked in every read table.",
  subject: "room",
  data: z.strictObject({ message: Message, edits: Edits }),
  sealed: {},
  public: ({ data }) => ({ t: "messageDeleted", d: { message: data.message ?? null } }),
  changes: (event, place) => deleted(event, place, messageDeleted, {}),
};

const messageWithFilesDeleted: EventDefinition = {
  type: "MessageWithFilesDeleted.v1",
  about: "A message is deleted, and its files with it.",
  subject: "room",
  data: z.strictObject({ message: Message, edits: Edits, files: Files }),
  sealed: {},
  public: ({ data }) => ({ t: "messageDeleted", d: { message: data.message ?? null } }),
  changes: (event, place) => [
    ...deleted(event, place, messageWithFilesDeleted, { files: [] }),
    ...textsIn(event.data.files).map((file): Change => {
      return { op: "set", table: "room_files", key: [event.subject.id, file], values: { state: "deleted" } };
    }),
  ],
};

const definitions = [
  roomCreated,
  roomRenamed,
  memberAdded,
  memberLeft,
  memberRemoved,
  messagePosted,
  messageEdited,
  messageDeleted,
  messageWithFilesPosted,
  messageWithFilesDeleted,
  claimVoided,
];

/** Events and tables of rooms, memberships and messages. */
export const roomModel: ContextModel = {
  context: "rooms",
  tables: roomTables,
  events: Object.fromEntries(definitions.map((definition) => [definition.type, definition])),
  oldEvents: Object.fromEntries(oldRoomEvents.map((definition) => [definition.type, definition])),
  revision: 1,
};

function leaving(type: string, t: string, about: string): EventDefinition {
  const definition: EventDefinition = {
    type,
    about,
    subject: "room",
    data: Member,
    sealed: {},
    public: ({ data }) => ({ t, d: data }),
    membership: ({ data }) => ({ enter: [], leave: [String(data.user)] }),
    changes(event, place) {
      const room = event.subject.id;
      const user = String(event.data.user);
      return [
        { op: "set", table: "rooms", key: [room], values: { s: sOf(event) } },
        { op: "add", table: "rooms", key: [room], values: { members: -1, owners: -ownersIn(event) } },
        historyRow(event, place, definition),
        notice(event, place, "user_left", { user }),
        { op: "delete", table: "memberships", key: [room, user] },
        { op: "add", table: "user_rooms", key: [user, place.lane], values: { version: 1 } },
      ];
    },
  };
  return definition;
}

/** The message without its text; `blank` is what else is left of the post. */
function deleted(event: DomainEvent, place: EventPlace, definition: EventDefinition, blank: JsonObject): Change[] {
  const room = event.subject.id;
  const message = Number(event.data.message);
  const blankEvent = (s: number, data: JsonObject): Change => ({
    op: "set",
    table: "room_events",
    key: [room, String(s)],
    values: { data },
  });
  return [
    { op: "set", table: "rooms", key: [room], values: { s: sOf(event) } },
    historyRow(event, place, definition),
    {
      op: "set",
      table: "messages",
      key: [messageId(event, message)],
      values: { data: { text: null, ...blank, edits: [] }, status: "deleted" satisfies MessageStatus },
    },
    blankEvent(message, { text: null, ...blank }),
    ...numbersIn(event.data.edits).map((s) => blankEvent(s, { message, text: null })),
  ];
}

function enters(event: DomainEvent, place: EventPlace, member: { user: string; role: Role }): Change[] {
  const membership = {
    room_id: event.subject.id,
    user_id: member.user,
    data: { is_muted: false },
    role: member.role,
    joined_s: sOf(event),
    joined_at: place.at,
  };
  return [
    { op: "insert", table: "memberships", row: membership },
    { op: "insert", table: "user_rooms", row: { user_id: member.user, lane: place.lane, version: 0 } },
    { op: "add", table: "user_rooms", key: [member.user, place.lane], values: { version: 1 } },
  ];
}

function historyRow(event: DomainEvent, place: EventPlace, definition: EventDefinition): Change {
  const { t, d } = definition.public?.(event) ?? { t: "hidden", d: {} };
  const row = { room_id: event.subject.id, s: sOf(event), type: t, data: d, at: place.at, by: event.by };
  return { op: "insert", table: "room_events", row };
}

function notice(
  event: DomainEvent,
  place: EventPlace,
  type: MessageType,
  data: JsonObject,
  m: number | null = null,
): Change & { op: "insert" } {
  const row = {
    id: messageId(event, sOf(event)),
    room_id: event.subject.id,
    s: sOf(event),
    m,
    data,
    sent_at: place.at,
    sent_by: event.by,
    type,
    status: "sent" satisfies MessageStatus,
  };
  return { op: "insert", table: "messages", row };
}

const messageId = (event: DomainEvent, s: Json | undefined): string => `${event.subject.id}:${s}`;
const sOf = (event: DomainEvent): number => event.s ?? 0;
const ownersIn = (event: DomainEvent): number => (event.data.role === "owner" ? 1 : 0);
const textOf = (data: JsonObject): Json => (data.body as JsonObject | null)?.text ?? null;
/** What is shown of the files; of an erased body only which they were. */
const filesOf = (data: JsonObject): Json =>
  (data.body as JsonObject | null)?.files ??
  textsIn(data.files).map((id) => ({ id, name: null, size: null, type: null }));
const textsIn = (value: Json | undefined): string[] => (Array.isArray(value) ? value.map(String) : []);
const numbersIn = (value: Json | undefined): number[] => (Array.isArray(value) ? value.map(Number) : []);
const membersIn = (data: JsonObject): { user: string; role: Role }[] =>
  data.members as unknown as { user: string; role: Role }[];
