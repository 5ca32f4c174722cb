import { type ClientEvent, FactsUnavailable, isOfLane, laneOf } from "@connect-hub/domain/kernel";
import { kyselyOver, orUnavailable, type PostgresPool } from "@connect-hub/postgres";
import { type ChatTables, roomEventsAfter, roomMembers, roomsOfUser } from "@connect-hub/projections";
import type { QuerySources } from "./queries.ts";

/** What the edge asks the read tables of rooms for, beside facts. All throw `FactsUnavailable`. */
export type Tables = Pick<QuerySources, "roomIdsOf" | "memberIdsOf" | "readRows">;

/** The read tables in Postgres. */
export function pgTables(pool: PostgresPool, roomLanes: number): Tables {
  const db = kyselyOver<ChatTables>(pool);
  const laneOfRoom = (room: string) => laneOf("rooms", room, roomLanes);
  return {
    async roomIdsOf(user) {
      const { rooms } = await orUnavailable(() => roomsOfUser(db, user));
      return rooms.map(({ id }) => id);
    },
    async memberIdsOf(room, after, limit) {
      const query = { lane: laneOfRoom(room), room, after, limit };
      const { members } = await orUnavailable(() => roomMembers(db, query));
      return members.map(({ user }) => user);
    },
    async readRows(room, fromS, toS, lane) {
      const query = { lane: laneOfRoom(room), room, afterS: fromS - 1, limit: toS - fromS + 1 };
      const { checkpoint, events } = await orUnavailable(() => roomEventsAfter(db, query));
      if (checkpoint.n > 0 && !isOfLane(lane, checkpoint))
        throw new FactsUnavailable(`the read tables of ${query.lane} are of another epoch`);
      return events.map(({ s, type, data, at, by }): ClientEvent => ({ r: room, s, t: type, d: data, by, at }));
    },
  };
}
