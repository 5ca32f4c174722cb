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

/** What the domain says of one version of one event. */
export interface EventDefinition {
  readonly type: string;
  /** The shape of `data` with its sealed fields open; an erased one is null. */
  readonly data: z.ZodType<JsonObject>;
  /** The fields of `data` that are stored sealed, and the name of the vault key for each. */
  readonly sealed: { readonly [field: string]: (event: DomainEvent) => string };
  /** The public part, for events of rooms. */
  readonly public?: (event: DomainEvent) => PublicEvent;
  /** The people who enter and leave the room by it; its frame ends with it, so that nobody gets more than is theirs. */
  readonly membership?: (event: DomainEvent) => MembershipChange;
  /** What the event changes. Pure, total: never throws, never validates. */
  changes(event: DomainEvent, place: EventPlace): readonly Change[];
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
  readonly events: { readonly [type: string]: EventDefinition };
}
