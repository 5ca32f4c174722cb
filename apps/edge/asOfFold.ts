import type { ClientEvent } from "@connect-hub/domain/kernel";
import { type Json, type JsonObject, limits, type Role } from "@connect-hub/domain/values";
import type { QueryAnswers } from "@connect-hub/protocol";
import { type HiddenEvent, membershipOf } from "./roomFrame.ts";

type AsOf = QueryAnswers["asOf"];

/** The types of the events that say what a room is called and who is in it. */
export const aboutTypes = ["roomCreated", "roomRenamed", "memberAdded", "memberLeft", "memberRemoved"] as const;

/** What a room is called and who is in it after these events, which are all of `aboutTypes` from its first on. */
export function aboutRoom(events: readonly ClientEvent[]): Pick<AsOf, "name" | "members" | "memberCount"> {
  let name: string | null = null;
  const roles = new Map<string, Role>();
  for (const event of events) {
    const data = event.d as JsonObject;
    if (data.name !== undefined) name = data.name as string | null;
    const { enter, leave } = membershipOf(event);
    for (const id of enter) roles.set(id, roleIn(data, id));
    for (const id of leave) roles.delete(id);
  }
  const members = [...roles].map(([id, role]) => ({ id, role })).sort((a, b) => (a.id < b.id ? -1 : 1));
  return { name, members: members.slice(0, limits.historyPage), memberCount: members.length };
}

function roleIn(data: JsonObject, user: string): Role {
  const members = (data.members ?? [data]) as readonly { readonly user: string; readonly role: Role }[];
  return members.find((member) => member.user === user)?.role ?? "member";
}

/** The messages that were posted in these events, as they are after the last of them. */
export function messagesOf(events: readonly (ClientEvent | HiddenEvent)[]): AsOf["messages"] {
  const messages = new Map<number, AsOf["messages"][number]>();
  for (const event of events) {
    if (!("d" in event)) continue;
    const data = event.d as {
      readonly text?: string | null;
      readonly files?: readonly Json[];
      readonly message?: number;
    };
    const { s, by, at } = event;
    const text = data.text ?? null;
    if (event.t === "messagePosted") {
      messages.set(s, { s, by, at, text, ...(data.files && { files: data.files }), edited: false, deleted: false });
      continue;
    }
    const message = messages.get(data.message ?? 0);
    if (message === undefined) continue;
    if (event.t === "messageEdited") messages.set(message.s, { ...message, text, edited: true });
    if (event.t === "messageDeleted") messages.set(message.s, { ...message, text: null, deleted: true });
  }
  return [...messages.values()];
}
