import type { Checkpoint, EventText } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { noCheckpoint } from "@connect-hub/projections";
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
  }): Promise<{ readonly checkpoint: Checkpoint; readonly events: readonly EventText[] }>;
  /** The rooms that each of these people is in, by id; nothing of who is in none. */
  roomIdsOf(users: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
}

/**
 * The read tables of rooms in Postgres. To parse, plan and name such a statement anew takes several times as long as to run it, so
 * each is prepared once a connection, and all rows come as one value. What an event says is never parsed here. `pool` is to be one for rows
 * by key.
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
        events: typeof events === "string" ? events.split("\n").map((line) => eventOf(room, line)) : [],
      };
    },
    async roomIdsOf(users) {
      const [rooms] = await ask<{ readonly [user: string]: readonly string[] } | null>(roomIdsOf, [users]);
      return new Map(Object.entries(rooms ?? {}));
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
    (select string_agg(concat_ws(E'\\t', s, at, to_json(type), to_json(by), coalesce(data::text, 'null')), E'\\n') from (
      select s, type, data, at, by from chat.room_events where room_id = $2 and s >= $3 and s <= $4 order by s
    ) as e)`,
};

const roomIdsOf: Statement = {
  name: "room_ids_of",
  text: `select json_object_agg(user_id, rooms) from (
    select user_id, json_agg(room_id order by room_id) as rooms
    from chat.memberships where user_id = any($1) group by user_id
  ) as m`,
};

/** The event in a line of values between tabs, which JSON escapes within its texts. */
function eventOf(room: string, line: string): EventText {
  const [s = "", at = "", type, by, data] = line.split("\t");
  return { s: Number(s), text: `{"r":"${room}","s":${s},"t":${type},"d":${data},"by":${by},"at":"${isoInstant(at)}"}` };
}
