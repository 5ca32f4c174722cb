import { type ClientEvent, FactsUnavailable, isOfLane, type Lane, laneOf } from "@connect-hub/domain/kernel";
import { kyselyOver, orUnavailable, type PostgresPool, pgRoomReads } from "@connect-hub/postgres";
import { type ChatTables, roomEventsOfTypes, roomMembers } from "@connect-hub/projections";
import { aboutTypes } from "./asOfFold.ts";
import type { QuerySources } from "./queries.ts";

/** What the edge asks the read tables of rooms for, beside facts. All throw `FactsUnavailable`. */
export type Tables = Pick<QuerySources, "roomIdsOf" | "memberIdsOf" | "readRows" | "readAboutRoom">;

/** The read tables in Postgres; `pool` is to be one for rows by key. */
export function pgTables(pool: PostgresPool, roomLanes: number): Tables {
  const db = kyselyOver<ChatTables>(pool);
  const { eventsBetween, roomIdsOf } = pgRoomReads(pool);
  const laneOfRoom = (room: string) => laneOf("rooms", room, roomLanes);
  return {
    roomIdsOf,
    async memberIdsOf(room, after, limit) {
      const query = { lane: laneOfRoom(room), room, after, limit };
      const { members } = await orUnavailable(() => roomMembers(db, query));
      return members.map(({ user }) => user);
    },
    async readRows(room, fromS, toS, lane) {
      return clientEvents(room, lane, await eventsBetween({ lane: laneOfRoom(room), room, fromS, toS }));
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
  { checkpoint, events }: Awaited<ReturnType<typeof roomEventsOfTypes>>,
): readonly ClientEvent[] {
  if (checkpoint.n > 0 && !isOfLane(lane, checkpoint))
    throw new FactsUnavailable(`the read tables of ${lane.id} are of another epoch`);
  return events.map(({ s, type, data, at, by }): ClientEvent => ({ r: room, s, t: type, d: data, by, at }));
}
