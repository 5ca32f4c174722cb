import type { ClientEvent, EventText } from "@connect-hub/domain/kernel";
import type { JsonObject } from "@connect-hub/domain/values";

/** Events of one room that follow one another, in the bytes in which clients get them. */
export interface RoomFrame {
  readonly firstS: number;
  readonly lastS: number;
  /** The commit that they stand in; of several the last. */
  readonly n: number;
  /** Whether the last event lets somebody in or out; the others never do. */
  readonly membership: boolean;
  readonly body: Uint8Array;
}

/** What clients get in place of an event about a message that lies before their history: it only counts. */
export interface HiddenEvent {
  readonly r: string;
  readonly s: number;
  readonly t: "hidden";
}

/** The events in a frame. */
export function eventsIn(frame: RoomFrame): readonly ClientEvent[] {
  const parsed: ClientEvent | ClientEvent[] = JSON.parse(Buffer.from(frame.body).toString());
  return Array.isArray(parsed) ? parsed : [parsed];
}

/** The frame of these events, of which there is at least one. */
export function frameOf(events: readonly ClientEvent[], n: number): RoomFrame {
  const firstS = events[0]?.s ?? 0;
  const last = events.at(-1);
  const membership = last !== undefined && changesMembership(last);
  return { firstS, lastS: last?.s ?? 0, n, membership, body: bodyOf(events) };
}

/** The bytes of one event, or of the array of several. */
function bodyOf(events: readonly (ClientEvent | HiddenEvent)[]): Uint8Array {
  return Buffer.from(JSON.stringify(events.length === 1 ? events[0] : events));
}

const maxBodyBytes = 64 * 1024;

/** The bytes of some events, and the number of the last of them. */
export interface EventsBody {
  readonly body: Uint8Array;
  readonly lastS: number;
}

/** The bytes of any number of events, in parts that a slow reader can take one after another. */
export function* bodiesOf(events: readonly EventText[]): Iterable<EventsBody> {
  let part: string[] = [];
  let bytes = 0;
  for (const event of events) {
    part.push(event.text);
    bytes += Buffer.byteLength(event.text);
    if (bytes < maxBodyBytes && event !== events.at(-1)) continue;
    yield { body: Buffer.from(`[${part.join(",")}]`), lastS: event.s };
    part = [];
    bytes = 0;
  }
}

/** The part of a frame after `s`. */
export function frameAfter(frame: RoomFrame, s: number): RoomFrame {
  if (frame.firstS > s) return frame;
  return frameOf(
    eventsIn(frame).filter((event) => event.s > s),
    frame.n,
  );
}

/** Who comes into the room and who leaves it by an event. */
export function membershipOf(event: ClientEvent): {
  readonly enter: readonly string[];
  readonly leave: readonly string[];
} {
  const data = event.d as JsonObject;
  switch (event.t) {
    case "roomCreated":
      return { enter: (data.members as readonly JsonObject[]).map((member) => String(member.user)), leave: [] };
    case "memberAdded":
      return { enter: [String(data.user)], leave: [] };
    case "memberLeft":
    case "memberRemoved":
      return { enter: [], leave: [String(data.user)] };
    default:
      return { enter: [], leave: [] };
  }
}

/** Whether somebody comes in or goes out by it. */
export function changesMembership(event: ClientEvent): boolean {
  const { enter, leave } = membershipOf(event);
  return enter.length + leave.length > 0;
}

const referenceMark = '"message":';

/**
 * The lowest `s` of a message that the frame's events refer to, Infinity for none. Looks for the member's name first: within a
 * text its quotes would be escaped.
 */
export function lowestReference(frame: RoomFrame): number {
  if (!Buffer.from(frame.body.buffer, frame.body.byteOffset, frame.body.byteLength).includes(referenceMark)) {
    return Number.POSITIVE_INFINITY;
  }
  return Math.min(...eventsIn(frame).map(referenceOf));
}

/** The event as a reader sees it whose history begins at `from`. */
export function eventSeenFrom(event: ClientEvent, from: number): ClientEvent | HiddenEvent {
  return referenceOf(event) < from ? { r: event.r, s: event.s, t: "hidden" } : event;
}

/** The same of an event's text. */
export function textSeenFrom(event: EventText, from: number): EventText {
  if (from === 1 || !event.text.includes(referenceMark)) return event;
  const seen = eventSeenFrom(JSON.parse(event.text), from);
  return seen.t === "hidden" ? { s: seen.s, text: JSON.stringify(seen) } : event;
}

/** The frame's bytes as a reader gets them whose history begins at `from`. */
export function bodySeenFrom(frame: RoomFrame, from: number): Uint8Array {
  if (lowestReference(frame) >= from) return frame.body;
  return bodyOf(eventsIn(frame).map((event) => eventSeenFrom(event, from)));
}

function referenceOf(event: ClientEvent): number {
  const { message } = (event.d ?? {}) as JsonObject;
  return typeof message === "number" ? message : Number.POSITIVE_INFINITY;
}
