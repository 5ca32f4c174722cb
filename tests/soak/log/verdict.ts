import type { RoomEvent } from "@connect-hub/protocol";
import type { Acknowledged } from "../../demo/journal.ts";

/** What is not as people were told it would be, one text each. */
export interface Verdict {
  /** Acknowledged and not in history. */
  readonly lost: readonly string[];
  /** In history, and nobody was told so. */
  readonly doubled: readonly string[];
  /** In history, but not where people were told, or with a hole before it. */
  readonly misordered: readonly string[];
}

/** The columns of the table. */
export const verdictColumns = ["lost", "doubled", "misordered"] as const;

/** A part of a room's history, and what people were told of it. */
export interface RoomPart {
  readonly room: string;
  /** The last event that was looked at before. */
  readonly from: number;
  /** Everything after it, in the order in which it was read. */
  readonly events: readonly RoomEvent[];
  /** In the order in which it was acknowledged; each was sent when what its author sent before was acknowledged. */
  readonly entries: readonly Acknowledged[];
  /** Messages of the room that were deleted at any time: their texts are blank. */
  readonly deleted: ReadonlySet<number>;
}

const types: { readonly [method in Acknowledged["method"]]: string } = {
  createRoom: "roomCreated",
  postMessage: "messagePosted",
  editMessage: "messageEdited",
  deleteMessage: "messageDeleted",
};

/** Holds a part of a room's history against what was acknowledged while it came to be, when nothing is under way any more. */
export function verdictOn(part: RoomPart): Verdict {
  const { room, from, events, entries } = part;
  const lost: string[] = [];
  const misordered: string[] = [];
  const unclaimed = new Set(events);
  const take = (fits: (event: RoomEvent) => boolean): RoomEvent | undefined => {
    const found = [...unclaimed].find(fits);
    if (found !== undefined) unclaimed.delete(found);
    return found;
  };
  const astray = entries.filter(
    (entry) => take((event) => event.s === entry.s && isOf(event, entry, part)) === undefined,
  );
  for (const entry of astray) {
    const what = `${room} ${entry.s}: ${entry.method} ${textOf(entry.data) ?? ""}`;
    const elsewhere = take((event) => isOf(event, entry, part));
    if (elsewhere === undefined) lost.push(what);
    else misordered.push(`${what} stands at ${elsewhere.s}`);
  }
  const hole = events.findIndex(({ s }, index) => s !== from + index + 1);
  if (hole !== -1) misordered.push(`${room}: after ${from + hole} comes ${events[hole]?.s}`);
  const lastOf = new Map<string, number>();
  for (const { by, s } of entries) {
    if (s <= (lastOf.get(by) ?? 0)) misordered.push(`${room} ${s}: its author was told ${lastOf.get(by)} before`);
    lastOf.set(by, s);
  }
  return { lost, misordered, doubled: [...unclaimed].map(({ s, t, d }) => `${room} ${s}: ${t} ${JSON.stringify(d)}`) };
}

function isOf(event: RoomEvent, { by, method, data }: Acknowledged, { deleted }: RoomPart): boolean {
  if (event.t !== types[method] || event.by !== by) return false;
  if (method === "createRoom") return true;
  if (method !== "postMessage" && fieldOf(event, "message") !== data.message) return false;
  const shown = fieldOf(event, "text");
  if (method === "deleteMessage" || shown === data.text) return true;
  const message = method === "postMessage" ? event.s : Number(data.message);
  return shown === null && deleted.has(message);
}

function fieldOf({ d }: RoomEvent, name: string): unknown {
  return typeof d === "object" && d !== null ? (d as { readonly [field: string]: unknown })[name] : undefined;
}

function textOf(data: Acknowledged["data"]): unknown {
  return data.text;
}
