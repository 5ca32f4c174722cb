import { type ClientEvent, FactsUnavailable, isOfLane, type Lane, laneOf } from "@connect-hub/domain/kernel";
import { kyselyOver, orUnavailable, type PostgresPool } from "@connect-hub/postgres";
import {
  type ChatTables,
  roomEventsAfter,
  roomEventsOfTypes,
  roomMembers,
  roomsOfUser,
} from "@connect-hub/projections";
import { aboutTypes } from "./asOfFold.ts";
import type { QuerySources } from "./queries.ts";

/** What the edge asks the read tables of rooms for, beside facts. All throw `FactsUnavailable`. */
export type Tables = Pick<QuerySources, "roomIdsOf" | "memberIdsOf" | "readRows" | "readAboutRoom">;

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
      return clientEvents(room, lane, await orUnavailable(() => roomEventsAfter(db, query)));
    },
    async readAboutRoom(room, toS, lane) {
      const query = { lane: laneOfRoom(room), room, toS, types: aboutTypes };
      return clientEvents(room, lane, await orUnavailable(() => roomEventsOfTypes(db, query)));
    },
  };
}

function clientEvents(
  room: string,
  lane: Lane,
  { checkpoint, events }: Awaited<ReturnType<typeof roomEventsAfter>>,
): readonly ClientEvent[] {
  if (checkpoint.n > 0 && !isOfLane(lane, checkpoint))
    throw new FactsUnavailable(`the read tables of ${lane.id} are of another epoch`);
  return events.map(({ s, type, data, at, by }): ClientEvent => ({ r: room, s, t: type, d: data, by, at }));
}
