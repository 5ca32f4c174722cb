import { limits } from "@connect-hub/domain/values";
import type { Cursor, RoomEvent } from "@connect-hub/protocol";
import type { Box } from "./box.ts";
import type { Record, RoomHistory } from "./judge.ts";
import type { Library } from "./library.ts";
import { openRecorded, type Person, type Told } from "./people.ts";
import type { Stage } from "./perform.ts";
import type { Act } from "./play.ts";
import { waitFor } from "./waitFor.ts";

const pageMs = 10_000;
const resumeMs = 10_000;

/** Waits until every connection was told everything that its rooms have; whoever is late shows in the records. */
export async function waitForRecords(
  connections: readonly { readonly told: Told; readonly heads: Heads }[],
  timeoutMs: number,
): Promise<void> {
  const isComplete = ({ told, heads }: { readonly told: Told; readonly heads: Heads }) =>
    [...heads].every(([room, s]) => (told.rooms.get(room)?.at(-1)?.s ?? 0) >= s);
  await waitFor("everybody was told everything", () => connections.every(isComplete), timeoutMs).catch(() => undefined);
}

/** The number of the last event of each room. */
export type Heads = ReadonlyMap<string, number>;

/** Connects everybody anew, as after a long absence, and writes down what the resumes bring. */
export async function resumedRecords(box: Box, people: readonly Person[], heads: Heads): Promise<readonly Record[]> {
  const connections = people.map((person) => {
    const cursors: { [room: string]: Cursor } = {};
    for (const { id, epoch, from } of person.client.rooms.values()) {
      // A resume has a bound; a room that has more is asked for its newest part.
      cursors[id] = [epoch, Math.max(from - 1, (heads.get(id) ?? 0) - limits.resumeEvents)];
    }
    const mine = new Map([...heads].filter(([room]) => person.client.rooms.has(room)));
    return { ...openRecorded(box.address, person.session, cursors), person, heads: mine };
  });
  await waitForRecords(connections, resumeMs);
  for (const { client } of connections) client.close();
  return connections.flatMap(({ told, person, heads: mine }) => recordsOf(person.name, "resumed", told, mine));
}

/** What one connection was told, room by room; a room of which it was told nothing counts too. */
export function recordsOf(who: string, kind: Record["kind"], told: Told, heads: Heads): readonly Record[] {
  const rooms = new Set([...heads.keys(), ...told.rooms.keys()]);
  return [...rooms].map((room) => ({ who, room, kind, events: told.rooms.get(room) ?? [] }));
}

/** Reads every room's history over HTTP, page by page. A page that can't be had ends its room's history there. */
export async function pagedHistories(
  box: Box,
  acts: readonly Act[],
  stage: Stage,
  library: Library,
): Promise<readonly RoomHistory[]> {
  const scenes = acts.flatMap((act) => act.scenes);
  const userOf = (who: string) => stage.people.get(who)?.session.user ?? who;
  const rooms = scenes.map(async ({ title, cast, lines }): Promise<RoomHistory> => {
    const room = stage.rooms.get(title) ?? "";
    const reader = stage.people.get(cast[0] ?? "");
    return { room, title, events: await readPages(box, room, reader), script: lines.map(({ who }) => userOf(who)) };
  });
  const [anybody] = stage.people.values();
  const others = [
    { room: stage.audience, title: "The audience", reader: anybody },
    { room: library.room, title: "The library", reader: library.members[0] },
    { room: library.branch, title: "The branch library", reader: library.outsider },
  ];
  const unscripted = others.map(async ({ room, title, reader }): Promise<RoomHistory> => {
    return { room, title, events: await readPages(box, room, reader), script: undefined };
  });
  return Promise.all([...rooms, ...unscripted]);
}

async function readPages(box: Box, room: string, reader: Person | undefined): Promise<readonly RoomEvent[]> {
  const events: RoomEvent[] = [];
  const endsAt = Date.now() + pageMs;
  for (;;) {
    const url = new URL(`/v1/rooms/${room}/events`, box.address);
    url.searchParams.set("after", String(events.at(-1)?.s ?? 0));
    if (reader?.client.position !== undefined) url.searchParams.set("position", reader.client.position);
    const page = await readPage(url, reader?.session.token ?? "");
    if (page !== undefined) {
      events.push(...page.events);
      if (!page.more || page.events.length === 0) return events;
    } else if (Date.now() >= endsAt) return events;
    else await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

interface Page {
  readonly events: readonly RoomEvent[];
  readonly more: boolean;
}

async function readPage(url: URL, token: string): Promise<Page | undefined> {
  try {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    if (!response.ok) return undefined;
    const { ok }: { readonly ok: Page } = await response.json();
    return ok;
  } catch {
    return undefined;
  }
}
