import type { Schema } from "@connect-hub/domain/kernel";
import { type RawBuilder, sql } from "kysely";

/** Where the tables of a schema stand, one row a lane. It changes with each batch, so its page keeps room for that. */
export function checkpointsTable(schema: Schema): RawBuilder<unknown> {
  return sql`create table ${sql.ref(`${schema}.checkpoints`)} (
    lane text collate "C" primary key,
    n bigint not null,
    hash text not null,
    epoch text not null,
    generation int not null,
    facts_version text not null,
    halted text,
    at timestamptz not null default now()
  ) with (fillfactor = 10)`;
}
