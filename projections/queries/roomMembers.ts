import type { Checkpoint } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { Kysely } from "kysely";
import { jsonArrayFrom } from "kysely/helpers/postgres";
import type { ChatTables } from "../tables.ts";
import { checkpointIn, noCheckpoint } from "./checkpoints.ts";
import { isoInstant } from "./instant.ts";

export interface RoomMember {
  readonly user: string;
  readonly role: string;
  readonly joinedS: number;
  readonly joinedAt: string;
}

export interface RoomMembersQuery {
  readonly lane: LaneId;
  readonly room: string;
  /** Members whose ids come after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A room's members in the order of their ids, and the lane's checkpoint, from one snapshot. Rights are the caller's. */
export async function roomMembers(
  db: Kysely<ChatTables>,
  { lane, room, after, limit }: RoomMembersQuery,
): Promise<{ readonly checkpoint: Checkpoint; readonly members: readonly RoomMember[] }> {
  const { checkpoint, members } = await db
    .selectNoFrom((eb) => [
      checkpointIn(eb, lane).as("checkpoint"),
      jsonArrayFrom(
        eb
          .selectFrom("chat.memberships")
          .select(["user_id as user", "role", "joined_s as joinedS", isoInstant("joined_at").as("joinedAt")])
          .where("room_id", "=", room)
          .$if(after !== undefined, (query) => query.where("user_id", ">", after ?? ""))
          .orderBy("user_id")
          .limit(limit),
      ).as("members"),
    ])
    .executeTakeFirstOrThrow();
  return { checkpoint: checkpoint ?? noCheckpoint, members };
}
