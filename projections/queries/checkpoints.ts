import type { Checkpoint } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { ExpressionBuilder, Kysely } from "kysely";
import { jsonObjectFrom } from "kysely/helpers/postgres";
import type { LaneCheckpoint } from "../applier.ts";
import type { AuthTables, ChatTables, ContentTables } from "../tables.ts";

const columns = [
  "lane",
  "n",
  "hash",
  "epoch",
  "generation",
  "facts_version as factsVersion",
  "halted",
  "at",
  "stop_at as stopAt",
  "projector",
] as const;

/** The checkpoints of the lanes of accounts. */
export async function accountCheckpoints(db: Kysely<AuthTables>): Promise<LaneCheckpoint[]> {
  return (await db.selectFrom("auth.checkpoints").select(columns).orderBy("lane").execute()).map(withLane);
}

/** The checkpoints of the lanes of rooms. */
export async function roomCheckpoints(db: Kysely<ChatTables>): Promise<LaneCheckpoint[]> {
  return (await db.selectFrom("chat.checkpoints").select(columns).orderBy("lane").execute()).map(withLane);
}

/** The checkpoints of the lane of content. */
export async function contentCheckpoints(db: Kysely<ContentTables>): Promise<LaneCheckpoint[]> {
  return (await db.selectFrom("content.checkpoints").select(columns).orderBy("lane").execute()).map(withLane);
}

/** The checkpoint of one lane, as part of a statement, so that it is of the same snapshot as the rest. */
export function checkpointIn(eb: ExpressionBuilder<ChatTables, never>, lane: LaneId) {
  return jsonObjectFrom(
    eb
      .selectFrom("chat.checkpoints")
      .select(["n", "hash", "epoch", "generation", "facts_version as factsVersion"])
      .where("lane", "=", lane),
  );
}

/** What stands for the checkpoint of a lane that no projector has seen. */
export const noCheckpoint: Checkpoint = { n: 0, hash: "", epoch: "", generation: 0, factsVersion: "" };

function withLane(row: Omit<LaneCheckpoint, "lane"> & { lane: string }): LaneCheckpoint {
  return { ...row, lane: row.lane as LaneId };
}
