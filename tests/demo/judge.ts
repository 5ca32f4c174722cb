import { isDeepStrictEqual } from "node:util";
import { canonicalJson, type Json } from "@connect-hub/domain/values";
import type { RoomEvent } from "@connect-hub/protocol";
import type { Acknowledged } from "./journal.ts";

/** What one client was told of one room. */
export interface Record {
  readonly who: string;
  readonly room: string;
  /** `live`: as it happened. `resumed`: by a new connection that asked for everything after the beginning. */
  readonly kind: "live" | "resumed";
  readonly events: readonly RoomEvent[];
}

/** A room as its paged history shows it, and what the script says of it. */
export interface RoomHistory {
  readonly room: string;
  readonly title: string;
  /** In the order in which the pages gave them. */
  readonly events: readonly RoomEvent[];
  /** Who must have spoken in it, in this order; undefined where all speak at once. */
  readonly script: readonly string[] | undefined;
}

export interface Evidence {
  readonly journal: readonly Acknowledged[];
  readonly rooms: readonly RoomHistory[];
  readonly records: readonly Record[];
}

/** One line of the verdict. */
export interface Finding {
  readonly check: string;
  /** What was looked at, in words. */
  readonly looked: string;
  /** What is wrong, one text each; none is good. */
  readonly faults: readonly string[];
}

/** Holds what the clients wrote down against what the system shows afterwards. */
export function judge({ journal, rooms, records }: Evidence): readonly Finding[] {
  const compared = rooms.map((room) =>
    compareRoom(
      room,
      journal.filter((entry) => entry.room === room.room),
    ),
  );
  const all = (pick: (one: Comparison) => readonly string[]) => compared.flatMap(pick);
  const events = rooms.reduce((sum, room) => sum + room.events.length, 0);
  const ofKind = (kind: Record["kind"]) => {
    const chosen = records.filter((record) => record.kind === kind);
    return {
      looked: `${chosen.length} records, ${chosen.reduce((sum, record) => sum + record.events.length, 0)} events`,
      faults: chosen.flatMap((record) => differences(record, rooms)),
    };
  };
  return [
    {
      check: "nothing acknowledged is missing",
      looked: `${journal.length} commands`,
      faults: all((one) => one.missing),
    },
    { check: "nothing is doubled or made up", looked: `${events} events in history`, faults: all((one) => one.extra) },
    { check: "every text is as it was sent", looked: `${events} events in history`, faults: all((one) => one.altered) },
    {
      check: "everything is in its order, without holes",
      looked: `${rooms.length} rooms`,
      faults: [...all((one) => one.moved), ...rooms.flatMap(disorder)],
    },
    { check: "what clients saw live is the history", ...ofKind("live") },
    { check: "what clients resumed is the history", ...ofKind("resumed") },
  ];
}

interface Comparison {
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly altered: readonly string[];
  readonly moved: readonly string[];
}

interface Item {
  readonly s: number;
  readonly content: string;
}

/** Tells what became of each acknowledged command: in its place, elsewhere, with other words, or nowhere. */
function compareRoom({ title, events }: RoomHistory, journal: readonly Acknowledged[]): Comparison {
  const sent = itemsOf(journal);
  const shown = events.map((event): Item => ({ s: event.s, content: contentOf(event.t, event.by, event.d) }));
  const isShown = multiset(shown.map(itemText));
  const wanting = sent.filter((item) => !isShown.take(itemText(item)));
  const isSent = multiset(sent.map(itemText));
  let odd = shown.filter((item) => !isSent.take(itemText(item)));
  const takeOdd = (which: (item: Item) => boolean): Item | undefined => {
    const found = odd.find(which);
    odd = odd.filter((item) => item !== found);
    return found;
  };
  const moved: string[] = [];
  const homeless: Item[] = [];
  for (const item of wanting) {
    const elsewhere = takeOdd(({ content }) => content === item.content);
    if (elsewhere === undefined) homeless.push(item);
    else moved.push(`${title} ${item.s} stands at ${elsewhere.s}: ${item.content}`);
  }
  const altered: string[] = [];
  const missing: string[] = [];
  for (const item of homeless) {
    const instead = takeOdd(({ s }) => s === item.s);
    if (instead === undefined) missing.push(`${title} ${item.s}: ${item.content}`);
    else altered.push(`${title} ${item.s} was ${item.content}, is ${instead.content}`);
  }
  return { missing, altered, moved, extra: odd.map(({ s, content }) => `${title} ${s}: ${content}`) };
}

/** The events that a room's acknowledged commands must have left, as they look when all is done. */
function itemsOf(journal: readonly Acknowledged[]): Item[] {
  const deleted = new Set(journal.filter(({ method }) => method === "deleteMessage").map(({ data }) => data.message));
  return journal.map((entry) => ({ s: entry.s, content: contentLeftBy(entry, (message) => deleted.has(message)) }));
}

function contentLeftBy({ s, by, method, data }: Acknowledged, isDeleted: (message: Json) => boolean): string {
  const { message = null, text = null, files } = data;
  switch (method) {
    case "createRoom":
      return contentOf("roomCreated", by, undefined);
    case "postMessage":
      return contentOf("messagePosted", by, {
        text: isDeleted(s) ? null : text,
        ...(files !== undefined && { files: isDeleted(s) ? [] : files }),
      });
    case "editMessage":
      return contentOf("messageEdited", by, { message, text: isDeleted(message) ? null : text });
    case "deleteMessage":
      return contentOf("messageDeleted", by, { message });
  }
}

/** Of files it is compared which they are; what they are called is asked of the files themselves. */
function contentOf(t: string, by: string | undefined, d: Json | undefined): string {
  const who = by ?? null;
  const files = fieldOf(d, "files");
  const content = Array.isArray(files)
    ? { ...(d as object), files: files.map((file) => fieldOf(file, "id") ?? file) }
    : d;
  return canonicalJson(t === "roomCreated" ? [t, who] : [t, who, content ?? null]);
}

const itemText = ({ s, content }: Item): string => `${s} ${content}`;

function multiset(texts: readonly string[]): { take(text: string): boolean } {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return {
    take(text) {
      const count = counts.get(text) ?? 0;
      counts.set(text, count - 1);
      return count > 0;
    },
  };
}

/** Whether the numbers go 1, 2, 3 … and the speakers are those of the script. */
function disorder({ title, events, script }: RoomHistory): readonly string[] {
  const hole = events.findIndex((event, index) => event.s !== index + 1);
  if (hole !== -1) return [`${title}: after ${hole} comes ${events[hole]?.s}`];
  if (script === undefined) return [];
  const spoke = events.filter(({ t }) => t === "messagePosted").map(({ by }) => by ?? "");
  // Too few or too many are told as missing or doubled.
  if (spoke.length !== script.length) return [];
  const slip = script.findIndex((who, index) => spoke[index] !== who);
  return slip === -1 ? [] : [`${title}: line ${slip + 1} is not spoken by whom the play says`];
}

/** A text that was deleted may be blank in the later of two accounts; all else must be the same. */
function differences({ who, room, events }: Record, rooms: readonly RoomHistory[]): readonly string[] {
  const history = rooms.find((one) => one.room === room);
  if (history === undefined) return [`${who} was told of a room that nobody made: ${room}`];
  const first = events[0]?.s ?? 1;
  const shown = history.events.filter(({ s }) => s >= first);
  if (events.length !== shown.length) {
    return [`${who} has ${events.length} events of ${history.title} from ${first} on, the history ${shown.length}`];
  }
  const deleted = new Set(shown.filter(({ t }) => t === "messageDeleted").map(({ d }) => fieldOf(d, "message")));
  const odd = events.findIndex((event, index) => !isSame(event, shown[index], deleted));
  return odd === -1 ? [] : [`${who} has another event ${events[odd]?.s} in ${history.title} than the history`];
}

function isSame(event: RoomEvent, shown: RoomEvent | undefined, deleted: ReadonlySet<Json | undefined>): boolean {
  const message = fieldOf(event.d, "message") ?? event.s;
  return isDeepStrictEqual(
    deleted.has(message) ? blanked(event) : event,
    shown && deleted.has(message) ? blanked(shown) : shown,
  );
}

function blanked(event: RoomEvent): RoomEvent {
  if (fieldOf(event.d, "text") === undefined) return event;
  const files = fieldOf(event.d, "files") === undefined ? {} : { files: [] };
  return { ...event, d: { ...(event.d as object), text: null, ...files } };
}

function fieldOf(d: Json | undefined, name: string): Json | undefined {
  if (typeof d !== "object" || d === null || Array.isArray(d)) return undefined;
  return (d as { readonly [field: string]: Json })[name];
}
