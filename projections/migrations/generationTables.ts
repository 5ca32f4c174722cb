import type { Schema } from "@connect-hub/domain/kernel";
import { authTables } from "./authTables.ts";
import { chatTables } from "./chatTables.ts";
import { contentTables } from "./contentTables.ts";

const tablesOf: { readonly [schema in Schema]: (into: string) => string[] } = {
  auth: authTables,
  chat: chatTables,
  content: contentTables,
};

/** The schema that a generation of the tables of `schema` lies in. */
export function generationSchema(schema: Schema, generation: number): string {
  return `${schema}_g${generation}`;
}

/**
 * The statements that make a generation: its own schema with empty tables, as this version of the code wants them. Tables are a
 * fold of the log: they are never altered, a change here is for the next generation.
 */
export function generationTables(schema: Schema, generation: number): string[] {
  const into = generationSchema(schema, generation);
  return [`create schema ${into}`, ...tablesOf[schema](into), checkpointsTable(into), parkedTable(into)];
}

/**
 * Where the tables stand, one row a lane. It changes with each batch, so its page keeps room for that. No batch goes beyond
 * `stop_at`. `projector`: who projects the lane, as long as `at` is not old.
 */
function checkpointsTable(into: string): string {
  return `create table ${into}.checkpoints (
      lane text collate "C" primary key,
      n bigint not null,
      hash text not null,
      epoch text not null,
      generation int not null,
      facts_version text not null,
      halted text,
      at timestamptz not null default clock_timestamp(),
      stop_at bigint,
      projector text
    ) with (fillfactor = 10)`;
}

/** Subjects with an event that can't be applied: this one, of commit `from_n`, and the later ones wait. */
function parkedTable(into: string): string {
  return `create table ${into}.parked (
      lane text collate "C",
      kind text collate "C",
      id text collate "C",
      from_n bigint not null,
      type text not null,
      reason text not null,
      retry boolean not null default false,
      primary key (lane, kind, id)
    )`;
}
