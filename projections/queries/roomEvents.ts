import type { Checkpoint } from "@connect-hub/domain/kernel";
import type { Json, LaneId } from "@connect-hub/domain/values";
import { type ExpressionBuilder, type Kysely, sql } from "kysely";
import { jsonArrayFrom } from "kysely/helpers/postgres";
import type { ChatTables } from "../tables.ts";
import { checkpointIn, noCheckpoint } from "./checkpoints.ts";
import { isoInstant } from "./instant.ts";

/** An event of a room as the tables have it. */
export interface RoomEvent {
  readonly s: number;
  readonly type: string;
  readonly data: Json;
  readonly at: string;
  readonly by: string;
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
