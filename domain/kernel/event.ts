import type * as z from "zod";
import type { Context, LaneId } from "../values/ids.ts";
import type { Json, JsonObject } from "../values/json.ts";
import type { Change } from "./change.ts";
import type { Table } from "./fact.ts";

/** What events are about. A stored format: none is ever taken away. */
export const subjectKinds = ["account", "room", "file", "blob", "node", "store", "lane"] as const;

/** What an event is about. */
export interface Subject {
  readonly kind: (typeof subjectKinds)[number];
  readonly id: string;
}

/**
 * An event as deciders make it and as `changes` sees it: its sealed fields are open. A field whose key was destroyed is
 * `null` (erased).
 */
export interface DomainEvent {
  /** The stored type with its version, for example `MessagePosted.v1`. */
  readonly type: string;
  readonly subject: Subject;
  /** The event's number in its room, from 1 without holes. Only events of a room have one. */
  readonly s?: number;
  /** The message's ordinal in its room. Only posts have one. */
  readonly m?: number;
  /** Who did it: an account's id, or `system`. */
  readonly by: string;
  readonly data: JsonObject;
}

/** Where an event stands in the log. */
export interface EventPlace {
  readonly lane: LaneId;
  /** The number of its commit. */
  readonly n: number;
  /** The instant of its commit, ISO. */
  readonly at: string;
}

/** Who enters and who leaves a room by an event. */
export interface MembershipChange {
  readonly enter: readonly string[];
  readonly leave: readonly string[];
}

/** What has to be known of a stored version of an event to write it and to open it. */
export interface StoredDefinition {
  readonly type: string;
  /** What it says, in a sentence for people. */
  readonly about: string;
  /** The kind of its subject. */
  readonly subject: Subject["kind"];
  /** The shape of `data` with its sealed fields open; an erased one is null. */
  readonly data: z.ZodType<JsonObject>;
  /** The fields of `data` that are stored sealed, and the name of the vault key for each. */
  readonly sealed: { readonly [field: string]: (event: DomainEvent) => string };
}

/** What the domain says of the newest version of one event: the only one that deciders make and that `changes` sees. */
export interface EventDefinition extends StoredDefinition {
  /** The public part, for events of rooms. */
  readonly public?: (event: DomainEvent) => PublicEvent;
  /** The people who enter and leave the room by it; its frame ends with it, so that nobody gets more than is theirs. */
  readonly membership?: (event: DomainEvent) => MembershipChange;
  /** What the event changes. Pure, total: never throws, never validates. */
  changes(event: DomainEvent, place: EventPlace): readonly Change[];
}

/** An older version of an event. Nobody writes it any more; those on the log stay as they are, and are read as a newer one. */
export interface OldEventDefinition extends StoredDefinition {
  /** The type as which it is read: the next version, which may be an old one too. */
  readonly newer: string;
  /** The data of that type that says the same. Sealed fields are open, or null when erased. Pure, total: never throws. */
  upcast(event: DomainEvent): JsonObject;
}

/** The public part of an event of a room: what every present member may see, live, resumed or in history. */
export interface PublicEvent {
  /** The client's name of the event, for example `messagePosted`. */
  readonly t: string;
  readonly d: Json;
}

/** The events and tables of one context. */
export interface ContextModel {
  readonly context: Context;
  readonly tables: readonly Table[];
  /** The newest version of each event. */
  readonly events: { readonly [type: string]: EventDefinition };
  /** The versions before. A stored format: none is ever taken away. */
  readonly oldEvents: { readonly [type: string]: OldEventDefinition };
  /**
   * Raised by one whenever the same events change the tables in another way than before. It is part of `factsVersionOf`, so tables
   * that were filled before are rebuilt; a frozen log tells when it is due (`tests/frozen`).
   */
  readonly revision: number;
  /**
   * The subjects beside its own of which an event changes rows, also one of a type that this code does not know. Whatever such an
   * event changes stands in its data, unsealed.
   */
  alsoNamed?(event: { readonly subject: Subject; readonly data: JsonObject }): readonly Subject[];
}
