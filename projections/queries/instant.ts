import { type RawBuilder, sql } from "kysely";

/** A column of instants as ISO text with milliseconds in UTC, for rows that come as JSON. */
export function isoInstant(column: string): RawBuilder<string> {
  return sql<string>`to_char(${sql.ref(column)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
