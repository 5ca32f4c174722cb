import { Id, instantForm, type Json, limits, parseInstant, type Role } from "@connect-hub/domain/values";
import * as z from "zod/mini";

import type { RoomEvent, RoomState } from "./serverFrames.ts";

const PageSize = z.optional(z.int().check(z.gte(1), z.lte(limits.historyPage)));
const Instant = z.string().check(z.refine((text) => parseInstant(text) !== undefined, `must be ${instantForm}`));
const EventNumber = z.optional(z.int().check(z.gte(0)));

/** What a client sends with each query, by the query's name: the `d` of its frame. */
export const queryInputs = {
  /** All rooms of the asker. */
  rooms: z.strictObject({}),
  /**
   * A page of a room's history. With `after`: the events that follow it; else those before `before`, or the newest.
   * Always in ascending order of `s`, never from before the asker came in.
   */
  history: z
    .strictObject({ room: Id, before: EventNumber, after: EventNumber, limit: PageSize })
    .check(z.refine((d) => d.before === undefined || d.after === undefined, "either before or after")),
  /**
   * A room as it was after its event `s`, or at the instant `at`, with its newest messages then: within the history of the asker, and
   * without the texts that were deleted since.
   */
  asOf: z
    .strictObject({ room: Id, s: z.optional(z.int().check(z.gte(1))), at: z.optional(Instant), limit: PageSize })
    .check(z.refine((d) => (d.s === undefined) !== (d.at === undefined), "either s or at")),
  /** A page of a room's members, by id; `after` is the last id of the page before. */
  members: z.strictObject({ room: Id, after: z.optional(Id), limit: PageSize }),
  /** The names of people whom the asker knows by id. */
  people: z.strictObject({ ids: z.array(Id).check(z.maxLength(limits.historyPage)) }),
  /** The person with exactly this e-mail address. */
  findPerson: z.strictObject({
    email: z.string().check(z.trim(), z.toLowerCase(), z.minLength(3), z.maxLength(limits.emailLength)),
  }),
} as const;

/** The name of a query. */
export type QueryName = keyof typeof queryInputs;
/** What query `K` takes. */
export type QueryInput<K extends QueryName> = z.infer<(typeof queryInputs)[K]>;

/** A person as others see them. */
export interface Person {
  readonly id: string;
  readonly name: string;
}

/** What each query answers. */
export interface QueryAnswers {
  /** `parked`: rooms that the asker may be in, and that can't be read at present; left out when there are none. */
  readonly rooms: {
    readonly rooms: readonly RoomState[];
    readonly version: number;
    readonly parked?: readonly string[];
  };
  /** `more`: whether there are further events on that side. `epoch`: of the room's lane, for cursors. */
  readonly history: {
    readonly events: readonly RoomEvent[];
    readonly more: boolean;
    readonly epoch: string;
    /** The `s` of the room's last event in the same snapshot. */
    readonly head: number;
  };
  readonly asOf: {
    /** The last event then, and its instant. */
    readonly s: number;
    readonly at: string;
    readonly epoch: string;
    readonly type: RoomState["type"];
    readonly name: string | null;
    /** At most a page of them, by id, and how many there were. */
    readonly members: readonly { readonly id: string; readonly role: Role }[];
    readonly memberCount: number;
    /** By `s`. A text is null when the message was deleted by then, or since, or was erased. */
    readonly messages: readonly {
      readonly s: number;
      readonly by: string;
      readonly at: string;
      readonly text: string | null;
      readonly files?: readonly Json[];
      readonly edited: boolean;
      readonly deleted: boolean;
    }[];
    /** Whether there were earlier messages. */
    readonly more: boolean;
  };
  readonly members: {
    readonly members: readonly (Person & { readonly role: Role })[];
    readonly more: boolean;
  };
  /** `parked`: those of whom nothing can be read at present; left out when there are none. In `members` they have no name. */
  readonly people: { readonly people: readonly Person[]; readonly parked?: readonly string[] };
  readonly findPerson: Person;
}

/** Whether there is a query of that name. */
export function isQuery(name: string): name is QueryName {
  return Object.hasOwn(queryInputs, name);
}
