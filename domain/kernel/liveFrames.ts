import type { Json } from "../values/json.ts";
import type { ContextModel, DomainEvent } from "./event.ts";

/** The bytes of one or more events of a room, as clients get them. */
export interface LiveFrame {
  readonly room: string;
  readonly firstS: number;
  readonly lastS: number;
  /** Whether its last event lets somebody in or out. */
  readonly membership: boolean;
  readonly body: Uint8Array;
}

/** An event as clients get it: room, number, kind, data, actor, instant. */
export interface ClientEvent {
  readonly r: string;
  readonly s: number;
  readonly t: string;
  readonly d: Json;
  readonly by: string;
  readonly at: string;
}

/** The JSON text of a `ClientEvent`, and its number. */
export interface EventText {
  readonly s: number;
  readonly text: string;
}

export function eventText(event: ClientEvent): EventText {
  return { s: event.s, text: JSON.stringify(event) };
}

/** The public part of an event of a room, or undefined if it has none. */
export function clientEventOf(event: DomainEvent, at: string, model: ContextModel): ClientEvent | undefined {
  const shown = model.events[event.type]?.public?.(event);
  if (shown === undefined || event.s === undefined) return undefined;
  return { r: event.subject.id, s: event.s, t: shown.t, d: shown.d, by: event.by, at };
}

/** The frames of one commit: a room's events together, but each event that changes a membership ends its frame. */
export function liveFrames(events: readonly DomainEvent[], at: string, model: ContextModel): LiveFrame[] {
  const open = new Map<string, ClientEvent[]>();
  const frames: LiveFrame[] = [];
  const close = (room: string, membership: boolean): void => {
    const inFrame = open.get(room);
    if (inFrame !== undefined) frames.push(frameOf(inFrame, membership));
    open.delete(room);
  };
  for (const event of events) {
    const shown = clientEventOf(event, at, model);
    if (shown === undefined) continue;
    const inFrame = open.get(shown.r);
    if (inFrame) inFrame.push(shown);
    else open.set(shown.r, [shown]);
    if (model.events[event.type]?.membership) close(shown.r, true);
  }
  for (const room of [...open.keys()]) close(room, false);
  return frames;
}

function frameOf(events: readonly ClientEvent[], membership: boolean): LiveFrame {
  const [first] = events;
  const last = events.at(-1);
  if (first === undefined || last === undefined) throw new Error("a frame holds at least one event");
  const text = events.length === 1 ? JSON.stringify(first) : JSON.stringify(events);
  return { room: first.r, firstS: first.s, lastS: last.s, membership, body: Buffer.from(text) };
}
