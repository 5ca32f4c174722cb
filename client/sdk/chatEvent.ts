import type { Json, Role, RoomType } from "@connect-hub/domain/values";
import type { MessageFile, RoomEvent } from "@connect-hub/protocol";

/** What an event of each type says in `d`. */
interface EventData {
  readonly roomCreated: {
    readonly type: RoomType;
    readonly name: string | null;
    readonly members: readonly { readonly user: string; readonly role: Role }[];
  };
  readonly roomRenamed: { readonly name: string };
  readonly memberAdded: { readonly user: string; readonly role: Role };
  readonly memberLeft: { readonly user: string; readonly role: Role };
  readonly memberRemoved: { readonly user: string; readonly role: Role };
  /** `text` is null once the message was deleted. */
  readonly messagePosted: { readonly text: string | null; readonly files?: readonly MessageFile[] };
  /** `message` is the `s` of the message. */
  readonly messageEdited: { readonly message: number; readonly text: string | null };
  readonly messageDeleted: { readonly message: number };
}

interface Place {
  /** The room. */
  readonly r: string;
  /** The event's number there: 1, 2, 3 … without holes. */
  readonly s: number;
}

type Typed = {
  readonly [T in keyof EventData]: Place & {
    readonly t: T;
    readonly d: EventData[T];
    /** Whose doing. */
    readonly by: string;
    /** When, ISO 8601. */
    readonly at: string;
  };
}[keyof EventData];

/**
 * An event of a room: a union by `t`, so that `switch (event.t)` knows what `d` is. `hidden` is about a message from before the reader came in
 * and only counts; `other` is of a type that this version of the SDK does not know.
 */
export type ChatEvent =
  | Typed
  | (Place & { readonly t: "hidden" })
  | (Place & {
      readonly t: "other";
      readonly type: string;
      readonly d?: Json;
      readonly by?: string;
      readonly at?: string;
    });

const known: Readonly<Record<keyof EventData, true>> = {
  roomCreated: true,
  roomRenamed: true,
  memberAdded: true,
  memberLeft: true,
  memberRemoved: true,
  messagePosted: true,
  messageEdited: true,
  messageDeleted: true,
};

/** The event of the wire with its type; the server is trusted to keep to the protocol. */
export function chatEvent(event: RoomEvent): ChatEvent {
  if (Object.hasOwn(known, event.t)) return event as Typed;
  const { r, s, t, ...about } = event;
  return t === "hidden" ? { r, s, t } : { ...(about as object), r, s, t: "other", type: t };
}
