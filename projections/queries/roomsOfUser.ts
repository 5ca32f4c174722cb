import type { Checkpoint } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { Kysely } from "kysely";
import { jsonArrayFrom } from "kysely/helpers/postgres";
import type { ChatTables } from "../tables.ts";
import { isoInstant } from "./instant.ts";

/** A room together with one member's place in it. */
export interface RoomOfUser {
  readonly id: string;
  readonly lane: LaneId;
  readonly type: string;
  readonly name: string | null;
  /** The number of the room's last event. */
  readonly s: number;
  readonly m: number;
  /** How many members there are. */
  readonly members: number;
  readonly role: string;
  readonly joinedS: number;
  readonly joinedAt: string;
  readonly isMuted: boolean;
}

/** What the read tables know of a person's rooms, all of one snapshot. */
export interface RoomsOfUser {
  readonly rooms: readonly RoomOfUser[];
  /** The counter of the person's room set in each lane that ever had a room of theirs. */
  readonly versions: readonly { readonly lane: LaneId; readonly version: number }[];
  readonly checkpoints: readonly (Pick<Checkpoint, "n" | "epoch" | "generation"> & { readonly lane: LaneId })[];
}

/** The rooms of a person in the order of their ids, as of the lanes' checkpoints. */
export async function roomsOfUser(db: Kysely<ChatTables>, user: string): Promise<RoomsOfUser> {
  const row = await db
    .selectNoFrom((eb) => [
      jsonArrayFrom(
        eb
          .selectFrom("chat.memberships as u")
          .innerJoin("chat.rooms as r", "r.id", "u.room_id")
          .select(["r.id", "r.lane", "r.type", "r.name", "r.s", "r.m", "r.members", "u.role", "u.joined_s as joinedS"])
          .select((each) => [
            isoInstant("u.joined_at").as("joinedAt"),
            each.fn
              .coalesce(each.cast<boolean>(each.ref("u.data", "->>").key("is_muted"), "boolean"), each.lit(false))
              .as("isMuted"),
          ])
          .where("u.user_id", "=", user)
          .orderBy("r.id"),
      ).as("rooms"),
      jsonArrayFrom(
        eb.selectFrom("chat.user_rooms").select(["lane", "version"]).where("user_id", "=", user).orderBy("lane"),
      ).as("versions"),
      jsonArrayFrom(eb.selectFrom("chat.checkpoints").select(["lane", "n", "epoch", "generation"]).orderBy("lane")).as(
        "checkpoints",
      ),
    ])
    .executeTakeFirstOrThrow();
  return row as RoomsOfUser;
}
