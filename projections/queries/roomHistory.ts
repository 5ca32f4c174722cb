import type { Checkpoint } from "@connect-hub/domain/kernel";
import type { Json, LaneId } from "@connect-hub/domain/values";
import { type ExpressionBuilder, type Kysely, sql } from "kysely";
import { jsonArrayFrom, jsonObjectFrom } from "kysely/helpers/postgres";
import type { ChatTables } from "../tables.ts";
import { checkpointIn, noCheckpoint } from "./checkpoints.ts";
import { isoInstant } from "./instant.ts";

/** An event of a room as clients get it. */
export interface RoomEvent {
  readonly s: number;
  readonly type: string;
  readonly data: Json;
  readonly at: string;
  readonly by: string;
}

/** A person's place in a room. */
export interface Membership {
  readonly role: string;
  /** The number of the event by which the person came in. */
  readonly joinedS: number;
}

export interface HistoryPage {
  readonly checkpoint: Checkpoint;
  /** Null when the person was no member at the checkpoint; then there are no events. */
  readonly membership: Membership | null;
  /** In the order of their numbers. */
  readonly events: readonly RoomEvent[];
}

export interface HistoryQuery {
  readonly lane: LaneId;
  readonly room: string;
  /** Who asks. */
  readonly user: string;
  /** Events before this number, the latest first of all when left out. */
  readonly before?: number | undefined;
  /** Events after this number; together with `before`, those in between. */
  readonly after?: number | undefined;
  readonly limit: number;
}

/**
 * A page of a room's history: the `limit` events nearest to `before` (or to the end), or nearest to `after`. The right
 * to it and the lane's checkpoint are of the same snapshot.
 */
export async function historyPage(db: Kysely<ChatTables>, query: HistoryQuery): Promise<HistoryPage> {
  const { lane, room, user, before, after, limit } = query;
  const fromEnd = after === undefined;
  const { checkpoint, membership, events } = await db
    .selectNoFrom((eb) => [
      checkpointIn(eb, lane).as("checkpoint"),
      jsonObjectFrom(membershipIn(eb, room, user).select(["role", "joined_s as joinedS"])).as("membership"),
      jsonArrayFrom(
        eventsIn(eb, room)
          .where((each) => each.exists(membershipIn(eb, room, user).select("role")))
          .$if(before !== undefined, (some) => some.where("s", "<", before ?? 0))
          .$if(after !== undefined, (some) => some.where("s", ">", after ?? 0))
          .orderBy("s", fromEnd ? "desc" : "asc")
          .limit(limit),
      ).as("events"),
    ])
    .executeTakeFirstOrThrow();
  return { checkpoint: checkpoint ?? noCheckpoint, membership, events: fromEnd ? events.toReversed() : events };
}

/** A room's events of these types up to `toS`, and the lane's checkpoint, from one snapshot. Rights are the caller's. */
export async function roomEventsOfTypes(
  db: Kysely<ChatTables>,
  {
    lane,
    room,
    toS,
    types,
  }: { readonly lane: LaneId; readonly room: string; readonly toS: number; readonly types: readonly string[] },
): Promise<{ readonly checkpoint: Checkpoint; readonly events: readonly RoomEvent[] }> {
  const { checkpoint, events } = await db
    .selectNoFrom((eb) => [
      checkpointIn(eb, lane).as("checkpoint"),
      jsonArrayFrom(eventsIn(eb, room).where("s", "<=", toS).where("type", "in", types).orderBy("s")).as("events"),
    ])
    .executeTakeFirstOrThrow();
  return { checkpoint: checkpoint ?? noCheckpoint, events };
}

function eventsIn(eb: ExpressionBuilder<ChatTables, never>, room: string) {
  return eb
    .selectFrom("chat.room_events")
    .select(["s", "type", "data", isoInstant("at").as("at"), sql.ref<string>("by").as("by")])
    .where("room_id", "=", room);
}

function membershipIn(eb: ExpressionBuilder<ChatTables, never>, room: string, user: string) {
  return eb.selectFrom("chat.memberships").where("room_id", "=", room).where("user_id", "=", user);
}
