import type { Checkpoint } from "@connect-hub/domain/kernel";
import type { Json, LaneId } from "@connect-hub/domain/values";
import { noCheckpoint, type RoomEvent } from "@connect-hub/projections";
import { orUnavailable } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";
import { isoInstant } from "./valueText.ts";

/** What is read of rooms each time that somebody comes back or looks back. All throw `FactsUnavailable`. */
export interface RoomReads {
  /** The events of a room with `fromS` ≤ s ≤ `toS`, ascending, and the lane's checkpoint, from one snapshot. */
  eventsBetween(query: {
    readonly lane: LaneId;
    readonly room: string;
    readonly fromS: number;
    readonly toS: number;
  }): Promise<{ readonly checkpoint: Checkpoint; readonly events: readonly RoomEvent[] }>;
  /** The rooms that a person is in, by id. */
  roomIdsOf(user: string): Promise<readonly string[]>;
}

/**
 * The read tables of rooms in Postgres. To parse, plan and name such a statement anew takes several times as long as to run it, so
 * each is prepared once a connection, and all rows come as one value. `pool` is to be one for rows by key.
 */
export function pgRoomReads(pool: PostgresPool): RoomReads {
  const ask = async <Value>(statement: Statement, values: readonly unknown[]): Promise<Value[]> => {
    const query = { ...statement, values: [...values], rowMode: "array" as const };
    const { rows } = await orUnavailable(() => pool.query<Value[]>(query));
    return rows[0] ?? [];
  };
  return {
    async eventsBetween({ lane, room, fromS, toS }) {
      const [checkpoint, events] = await ask<unknown>(eventsBetween, [lane, room, fromS, toS]);
      return {
        checkpoint: (checkpoint as Checkpoint | null) ?? noCheckpoint,
        events: ((events ?? []) as readonly EventRow[]).map(eventOf),
      };
    },
    async roomIdsOf(user) {
      const [ids] = await ask<readonly string[] | null>(roomIdsOf, [user]);
      return ids ?? [];
    },
  };
}

interface Statement {
  readonly name: string;
  readonly text: string;
}

const eventsBetween: Statement = {
  name: "room_events_between",
  text: `select
    (select json_build_object('n', n, 'hash', hash, 'epoch', epoch, 'generation', generation, 'factsVersion', facts_version)
     from chat.checkpoints where lane = $1),
    (select json_agg(json_build_array(s, type, data, at::text, by)) from (
      select s, type, data, at, by from chat.room_events where room_id = $2 and s >= $3 and s <= $4 order by s
    ) as e)`,
};

const roomIdsOf: Statement = {
  name: "room_ids_of",
  text: `select json_agg(room_id) from (
    select room_id from chat.memberships where user_id = $1 order by room_id
  ) as m`,
};

type EventRow = readonly [s: number, type: string, data: Json, at: string, by: string];

function eventOf([s, type, data, at, by]: EventRow): RoomEvent {
  return { s, type, data, at: isoInstant(at), by };
}
