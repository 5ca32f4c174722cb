import {
  type Checkpoint,
  type ClientEvent,
  FactsUnavailable,
  isOfLane,
  type Lane,
  laneOf,
} from "@connect-hub/domain/kernel";
import { kyselyOver, orUnavailable, type PostgresPool, pgRoomReads } from "@connect-hub/postgres";
import { type ChatTables, roomEventsOfTypes, roomMembers } from "@connect-hub/projections";
import { aboutTypes } from "./asOfFold.ts";
import { gatheredRead } from "./gatheredRead.ts";
import type { QuerySources } from "./queries.ts";

/** What the edge asks the read tables of rooms for, beside facts. All throw `FactsUnavailable`. */
export type Tables = Pick<QuerySources, "roomIdsOf" | "memberIdsOf" | "readRows" | "readAboutRoom">;

/** The read tables in Postgres; `pool` is to be one for rows by key. */
export function pgTables(pool: PostgresPool, roomLanes: number): Tables {
  const db = kyselyOver<ChatTables>(pool);
  const { eventsBetween, roomIdsOf } = pgRoomReads(pool);
  const rooms = gatheredRead(roomIdsOf);
  const laneOfRoom = (room: string) => laneOf("rooms", room, roomLanes);
  return {
    roomIdsOf: async (user) => (await rooms(user)) ?? [],
    async memberIdsOf(room, after, limit) {
      const query = { lane: laneOfRoom(room), room, after, limit };
      const { members } = await orUnavailable(() => roomMembers(db, query));
      return members.map(({ user }) => user);
    },
    async readRows(room, fromS, toS, lane) {
      const { checkpoint, events } = await eventsBetween({ lane: laneOfRoom(room), room, fromS, toS });
      assertOf(lane, checkpoint);
      return events;
    },
    async readAboutRoom(room, toS, lane) {
      const query = { lane: laneOfRoom(room), room, toS, types: aboutTypes };
      const { checkpoint, events } = await orUnavailable(() => roomEventsOfTypes(db, query));
      assertOf(lane, checkpoint);
      return events.map(({ s, type, data, at, by }): ClientEvent => ({ r: room, s, t: type, d: data, by, at }));
    },
  };
}

function assertOf(lane: Lane, checkpoint: Checkpoint): void {
  if (checkpoint.n > 0 && !isOfLane(lane, checkpoint))
    throw new FactsUnavailable(`the read tables of ${lane.id} are of another epoch`);
}
