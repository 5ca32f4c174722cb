import * as z from "zod/mini";
import type { Command, CommandDefinition, Decision } from "../kernel/command.ts";
import { inputOf } from "../kernel/commandInput.ts";
import { idOfKeyedHash } from "../kernel/derivedId.ts";
import type { DomainEvent } from "../kernel/event.ts";
import { type FactRef, type Facts, factRef, type Row } from "../kernel/fact.ts";
import { commandInputs } from "../values/commandInputs.ts";
import { Id } from "../values/ids.ts";
import type { Json, JsonObject } from "../values/json.ts";
import { limits } from "../values/limits.ts";
import type { RefusalCode } from "../values/rejections.ts";
import type { MessageFile } from "./events.ts";

// "Unknown" and "not a member" are one answer: whoever is not in a room can't tell whether it exists.

const createRoom: CommandDefinition = {
  context: "rooms",
  input: inputOf(commandInputs.createRoom),
  secretFields: [],
  needs: (command) => [roomRef(command), ...others(command).map(userRef)],
  foreign: (command) => others(command).map(userRef),
  decide(command, facts) {
    const missing = others(command).filter((user) => !isActive(facts, user));
    if (missing.length > 0) return refuse("PersonNotFound", { users: missing });
    const { actor } = command.key;
    const members = [{ user: actor, role: "owner" }, ...others(command).map((user) => ({ user, role: "member" }))];
    const data = { type: "group", name: command.data.name ?? null, members };
    return accept([{ ...roomEvent("RoomCreated.v1", command, data), s: 1 }], { room: command.subject, s: 1 });
  },
};

/** `subject` is `dialogIdOf` the two, so the same two people always meet in the same room. */
const openDialog: CommandDefinition = {
  context: "rooms",
  input: inputOf(commandInputs.openDialog),
  secretFields: [],
  needs: (command) => [roomRef(command), userRef(String(command.data.with))],
  foreign: (command) => [userRef(String(command.data.with))],
  decide(command, facts) {
    const { actor } = command.key;
    const other = String(command.data.with);
    if (other === actor) return refuse("DialogWithSelf");
    const room = facts.get(roomRef(command));
    if (room) return accept([], { room: command.subject, s: room.s ?? null });
    if (!isActive(facts, other)) return refuse("PersonNotFound", { users: [other] });
    const members = [actor, other].map((user) => ({ user, role: "member" }));
    const event = roomEvent("RoomCreated.v1", command, { type: "dialog", name: null, members });
    return accept([{ ...event, s: 1 }], { room: command.subject, s: 1 });
  },
};

const renameRoom = inRoom("renameRoom", {
  decide(command, { room, member }) {
    if (room.type === "dialog") return refuse("DialogIsFixed");
    if (member.role !== "owner") return refuse("NotAllowed", { allowed: ["owner"] });
    return next(command, room, "RoomRenamed.v1", { name: command.data.name ?? null });
  },
});

const addMember = inRoom("addMember", {
  needs: (command) => [membershipRef(command.subject, String(command.data.user)), userRef(String(command.data.user))],
  foreign: (command) => [userRef(String(command.data.user))],
  decide(command, { room }, facts) {
    const user = String(command.data.user);
    if (room.type === "dialog") return refuse("DialogIsFixed");
    if (facts.get(membershipRef(command.subject, user))) return refuse("AlreadyAMember");
    if (!isActive(facts, user)) return refuse("PersonNotFound", { users: [user] });
    return next(command, room, "MemberAdded.v1", { user, role: "member" });
  },
});

const removeMember = inRoom("removeMember", {
  needs: (command) => [membershipRef(command.subject, String(command.data.user))],
  decide(command, { room, member }, facts) {
    const user = String(command.data.user);
    if (room.type === "dialog") return refuse("DialogIsFixed");
    if (member.role !== "owner") return refuse("NotAllowed", { allowed: ["owner"] });
    const target = facts.get(membershipRef(command.subject, user));
    if (!target) return refuse("NotInRoom");
    if (target.role === "owner" && room.owners === 1) return refuse("LastOwner");
    return next(command, room, "MemberRemoved.v1", { user, role: target.role ?? null });
  },
});

const leaveRoom = inRoom("leaveRoom", {
  decide(command, { room, member }) {
    if (room.type === "dialog") return refuse("DialogIsFixed");
    if (member.role === "owner" && room.owners === 1) return refuse("LastOwner");
    return next(command, room, "MemberLeft.v1", { user: command.key.actor, role: member.role ?? null });
  },
});

/** By the reactor, when an account was closed: the person leaves whatever the role. */
const evictMember: CommandDefinition = {
  context: "rooms",
  input: inputOf(z.strictObject({ room: Id, user: Id })),
  secretFields: [],
  needs: (command) => [roomRef(command), membershipRef(command.subject, String(command.data.user))],
  decide(command, facts) {
    const user = String(command.data.user);
    const room = facts.get(roomRef(command));
    const member = facts.get(membershipRef(command.subject, user));
    if (!room || !member) return accept([], {});
    return next(command, room, "MemberLeft.v1", { user, role: member.role ?? null });
  },
};

const postMessage = inRoom("postMessage", {
  needs: (command) => filesNamed(command).flatMap((file) => [fileRef(file), roomFileRef(command.subject, file)]),
  foreign: (command) => filesNamed(command).map(fileRef),
  decide(command, { room }, facts) {
    const files = filesNamed(command);
    const missing = files.filter((file) => !isPostable(command, file, facts));
    if (missing.length > 0) return refuse("FileNotFound", { files: missing });
    const text = command.data.text ?? "";
    const shown = files.map((file) => shownFile(file, facts.get(fileRef(file))));
    const event =
      files.length === 0
        ? roomEvent("MessagePosted.v1", command, { body: { text } })
        : roomEvent("MessageWithFilesPosted.v1", command, { files, body: { text, files: shown } });
    const m = Number(room.m) + 1;
    const s = Number(room.s) + 1;
    return accept([{ ...event, s, m }], { room: command.subject, s, m });
  },
});

/** By a reactor, when a claim's time is over; `subject` is the room. Whoever is first, this or a post, has the file for good. */
const voidClaim: CommandDefinition = {
  context: "rooms",
  input: inputOf(z.strictObject({ room: Id, file: Id })),
  secretFields: [],
  needs: (command) => [roomFileRef(command.subject, String(command.data.file))],
  decide(command, facts) {
    const row = facts.get(roomFileRef(command.subject, String(command.data.file)));
    if (row) return accept([], { state: row.state ?? null, s: row.s ?? null });
    return accept([roomEvent("ClaimVoided.v1", command, { file: command.data.file ?? null })], { state: "voided" });
  },
};

const editMessage = inRoom("editMessage", {
  needs: (command) => [messageRef(command)],
  decide(command, { room }, facts) {
    const message = facts.get(messageRef(command));
    const problem = notChangeable(message);
    if (problem) return refuse(problem);
    if (message?.sent_by !== command.key.actor) return refuse("NotAllowed", { allowed: ["author"] });
    const edits = editsOf(message);
    if (edits.length >= limits.editsPerMessage) return refuse("TooManyEdits", { allowed: limits.editsPerMessage });
    const { message: s = null, text = null } = command.data;
    const files = filesOf(message);
    const data = { message: s, edits, files: files.map(({ id }) => id), body: { text, files } };
    return next(command, room, "MessageEdited.v2", data);
  },
});

const deleteMessage = inRoom("deleteMessage", {
  needs: (command) => [messageRef(command)],
  decide(command, { room, member }, facts) {
    const message = facts.get(messageRef(command));
    const problem = notChangeable(message);
    if (problem) return refuse(problem);
    const mayDelete = message?.sent_by === command.key.actor || member.role === "owner";
    if (!mayDelete) return refuse("NotAllowed", { allowed: ["author", "owner"] });
    const data = { message: command.data.message ?? null, edits: editsOf(message) };
    const files = filesOf(message).map(({ id }) => id);
    if (files.length === 0) return next(command, room, "MessageDeleted.v1", data);
    return next(command, room, "MessageWithFilesDeleted.v1", { ...data, files });
  },
});

/** The commands of the lanes of rooms. */
export const roomCommands = {
  createRoom,
  openDialog,
  renameRoom,
  addMember,
  removeMember,
  leaveRoom,
  evictMember,
  postMessage,
  editMessage,
  deleteMessage,
  voidClaim,
} satisfies { [kind: string]: CommandDefinition };

/** The id of the dialog of two people, whoever asks. */
export function dialogIdOf(hashes: { lookup(text: string): string }, a: string, b: string): string {
  return idOfKeyedHash(hashes.lookup(`dialog|${[a, b].sort().join("|")}`));
}

interface Inside {
  readonly room: Row;
  readonly member: Row;
}

/** A command in a room that its actor must be a member of. */
function inRoom(
  name: keyof typeof commandInputs,
  rules: {
    needs?(command: Command): readonly FactRef[];
    foreign?(command: Command): readonly FactRef[];
    decide(command: Command, inside: Inside, facts: Facts): Decision;
  },
): CommandDefinition {
  const actorRef = (command: Command) => membershipRef(command.subject, command.key.actor);
  return {
    context: "rooms",
    input: inputOf(commandInputs[name]),
    secretFields: [],
    needs: (command) => [roomRef(command), actorRef(command), ...(rules.needs?.(command) ?? [])],
    ...(rules.foreign && { foreign: rules.foreign }),
    decide(command, facts) {
      const room = facts.get(roomRef(command));
      const member = facts.get(actorRef(command));
      return room && member ? rules.decide(command, { room, member }, facts) : refuse("RoomNotFound");
    },
  };
}

/** Accepts with one event that is the next of its room. */
function next(command: Command, room: Row, type: string, data: JsonObject): Decision {
  const s = Number(room.s) + 1;
  return accept([{ ...roomEvent(type, command, data), s }], { room: command.subject, s });
}

function accept(events: readonly DomainEvent[], result: Json): Decision {
  return { events, result };
}

function refuse(code: RefusalCode, detail?: Json): Decision {
  return { refused: detail === undefined ? { code } : { code, detail } };
}

function roomEvent(type: string, command: Command, data: JsonObject): DomainEvent {
  return { type, subject: { kind: "room", id: command.subject }, by: command.key.actor, data };
}

/** The first members but the creator, each once. */
function others(command: Command): string[] {
  const named = Array.isArray(command.data.members) ? command.data.members.map(String) : [];
  return [...new Set(named)].filter((user) => user !== command.key.actor);
}

function notChangeable(message: Row | null | undefined): RefusalCode | undefined {
  if (message?.type !== "message") return "MessageNotFound";
  return message.status === "deleted" ? "MessageIsDeleted" : undefined;
}

function editsOf(message: Row | null | undefined): number[] {
  const edits = (message?.data as JsonObject | undefined)?.edits;
  return Array.isArray(edits) ? edits.map(Number) : [];
}

/** The files of a message, in its order. */
function filesOf(message: Row | null | undefined): MessageFile[] {
  const files = (message?.data as JsonObject | undefined)?.files;
  return Array.isArray(files) ? (files as unknown as MessageFile[]) : [];
}

/** Only who brought a file posts it, once, in the room for which it was brought. */
function isPostable(command: Command, file: string, facts: Facts): boolean {
  const row = facts.get(fileRef(file));
  if (!row || row.owner !== command.key.actor || row.room_id !== command.subject) return false;
  return row.state !== "released" && !facts.get(roomFileRef(command.subject, file));
}

function shownFile(id: string, row: Row | null | undefined): JsonObject {
  const { filename_visible: name = null, size = null, type = null } = row ?? {};
  return { id, name, size, type };
}

function filesNamed(command: Command): readonly string[] {
  const { files } = command.data;
  return Array.isArray(files) ? files.map(String) : none;
}

const none: readonly string[] = [];
const isActive = (facts: Facts, user: string): boolean => facts.get(userRef(user))?.status === "active";
const roomRef = (command: Command): FactRef => factRef("rooms", command.subject);
const membershipRef = (room: string, user: string): FactRef => factRef("memberships", room, user);
const fileRef = (file: string): FactRef => factRef("files", file);
const roomFileRef = (room: string, file: string): FactRef => factRef("room_files", room, file);
const messageRef = (command: Command): FactRef => factRef("messages", `${command.subject}:${command.data.message}`);
const userRef = (user: string): FactRef => factRef("users", user);
