import type { Role } from "@connect-hub/domain/values";
import { limits } from "@connect-hub/domain/values";
import type { ChatEvent } from "./chatEvent.ts";
import type { Client } from "./client.ts";
import type { Member } from "./roomView.ts";

/** Who is in a room, from all pages of the query. */
export async function allMembers(query: Client["query"], room: string): Promise<readonly Member[]> {
  const members: Member[] = [];
  for (let more = true; more; ) {
    const after = members.at(-1)?.id;
    const page = await query("members", { room, limit: limits.historyPage, ...(after !== undefined && { after }) });
    members.push(...page.members);
    more = page.more && page.members.length > 0;
  }
  return members;
}

/**
 * The members with what `events` say of who came and went: the last word on each person counts, so it does not matter which of the events
 * `members` knows already. `nameOf` names who came.
 */
export function membersAfter(
  members: readonly Member[],
  events: readonly ChatEvent[],
  nameOf: (id: string) => string | null,
): readonly Member[] {
  const now = new Map(members.map((member) => [member.id, member]));
  for (const [id, role] of lastWords(events)) {
    if (role === undefined) now.delete(id);
    else if (!now.has(id)) now.set(id, { id, name: nameOf(id), role });
  }
  return [...now.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The role of each person who came; undefined of who went. */
function lastWords(events: readonly ChatEvent[]): ReadonlyMap<string, Role | undefined> {
  const words = new Map<string, Role | undefined>();
  for (const event of events) {
    if (event.t === "roomCreated") for (const { user, role } of event.d.members) words.set(user, role);
    else if (event.t === "memberAdded") words.set(event.d.user, event.d.role);
    else if (event.t === "memberLeft" || event.t === "memberRemoved") words.set(event.d.user, undefined);
  }
  return words;
}
