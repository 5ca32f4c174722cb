import type { ContextModel } from "@connect-hub/domain/kernel";
import { schemaOf } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { type Applier, generationSchema, type LaneCheckpoint, type ProjectedBatch } from "@connect-hub/projections";
import { changeStatements } from "./changeStatements.ts";
import { checkpointColumns } from "./checkpointColumns.ts";
import { orUnavailable, PipelineFailed, sqlStateOf } from "./errors.ts";
import { markStatements, marksBefore } from "./markStatements.ts";
import type { PostgresPool } from "./openPool.ts";
import { type PipelineStep, runPipeline } from "./pipeline.ts";

const divisionByZero = "22012";
const uniqueViolation = "23505";

export interface PgApplierOptions {
  /** The generation of the tables that is written. */
  readonly generation: number;
  /**
   * The name of the projector, unlike any other's. Should also be that of the pool: a projector without a connection of its name
   * is gone, and its lanes are free at once.
   */
  readonly projector: string;
}

/**
 * One generation of the read tables of one context in Postgres, for its projector. `pool` should be one that reaches rows by
 * key only.
 */
export function pgApplier(pool: PostgresPool, model: ContextModel, options: PgApplierOptions): Applier {
  const { generation, projector } = options;
  const served = schemaOf[model.context];
  const into: Target = { schema: generationSchema(served, generation), served, generation, projector };
  const checkpoints = `${into.schema}.checkpoints`;
  const select = `select ${checkpointColumns} from ${checkpoints} where lane = $1`;
  // What is lost of it in a crash was of no use.
  const lease = `update ${checkpoints} held set projector = $2, at = clock_timestamp()
    from set_config('synchronous_commit', 'off', true)
    where lane = $1 and (${isFree("held", "$2")}
      or not exists (select 1 from pg_stat_activity where application_name = held.projector))
    returning ${checkpointColumns}`;

  async function checkpoint(lane: LaneId, epoch: string): Promise<LaneCheckpoint> {
    const insert = `insert into ${checkpoints} (lane, n, hash, epoch, generation, facts_version)
      values ($1, 0, '', $2, $3, '') on conflict do nothing`;
    for (;;) {
      const { rows } = await pool.query<LaneCheckpoint>(select, [lane]);
      if (rows[0] !== undefined) return rows[0];
      await pool.query(insert, [lane, epoch, generation]);
    }
  }

  return {
    projector,
    checkpoint: (lane, epoch) => orUnavailable(() => checkpoint(lane, epoch)),
    lease: (lane, epoch) =>
      orUnavailable(async () => {
        for (;;) {
          const { rows } = await pool.query<LaneCheckpoint>(lease, [lane, projector]);
          const standing = rows[0] ?? (await checkpoint(lane, epoch));
          if (standing.projector !== null) return standing;
        }
      }),

    async release(lane) {
      const text = `update ${checkpoints} set projector = null where lane = $1 and projector = $2`;
      await orUnavailable(() => pool.query(text, [lane, projector]));
    },

    async apply(batch) {
      // As a rule the rows that a table calls new are new. If one was not, the slower way passes over it.
      const outcome = await tryToApply(pool, batch, { into, copyNew: true });
      if (outcome !== "met") return outcome;
      return (await tryToApply(pool, batch, { into, copyNew: false })) === "conflict" ? "conflict" : "applied";
    },

    async noteHalt(lane, reason) {
      const text = `update ${checkpoints} set halted = $2 where lane = $1 and halted is distinct from $2`;
      await orUnavailable(() => pool.query(text, [lane, reason]));
    },
  };
}

/** Where an applier writes, and for whom. */
interface Target {
  readonly schema: string;
  /** The schema of the views, which says what each generation is for. */
  readonly served: string;
  readonly generation: number;
  readonly projector: string;
}

/** Whether the projector with the name `me` may write the lane of a checkpoint. */
function isFree(checkpoint: string, me: string): string {
  const { projector, at } = { projector: `${checkpoint}.projector`, at: `${checkpoint}.at` };
  return `${projector} is null or ${projector} = ${me} or ${at} < clock_timestamp() - interval '5 seconds'`;
}

/** `met`: a row that a table calls new was there already. */
async function tryToApply(
  pool: PostgresPool,
  batch: ProjectedBatch,
  { into, copyNew }: { into: Target; copyNew: boolean },
): Promise<"applied" | "conflict" | "met"> {
  const guards = [moveCheckpoint(into, batch), ...marksBefore(batch, into.schema)];
  const steps = [
    ...guards,
    ...batch.tables.flatMap((table) => changeStatements(table, { schema: into.schema, copyNew })),
    ...markStatements(batch, into.schema),
  ];
  return orUnavailable(async () => {
    try {
      await runPipeline(pool, steps);
      return "applied";
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === divisionByZero && error instanceof PipelineFailed && error.step < guards.length) return "conflict";
      if (state === uniqueViolation && copyNew) return "met";
      throw error;
    }
  });
}

/**
 * Compares and sets the checkpoint. When another one stands there, the division by zero ends the whole transaction, so
 * the rest may be on its way already. It comes first: a second projector waits here until the first one is done. Tables that nobody
 * reads yet don't wait for the disk: what a crash of Postgres takes of them, checkpoint and rows, is projected again.
 */
function moveCheckpoint(
  { schema, served, generation, projector }: Target,
  { lane, from, to }: ProjectedBatch,
): PipelineStep {
  const text = `with moved as (
    update ${schema}.checkpoints held
    set n = $2::int8, hash = $3, epoch = $4, facts_version = $5, projector = $10, halted = null, at = clock_timestamp()
    from (select set_config('synchronous_commit',
      case state when 'building' then 'off' else current_setting('synchronous_commit') end, true) as durability
      from ${served}.generations where number = ${generation}) how
    where durability is not null and lane = $1 and n = $6::int8 and hash = $7 and epoch = $8 and generation = $9::int4
      and (stop_at is null or stop_at >= $2::int8) and (${isFree("held", "$10")})
    returning 1
  ) select 1 / count(*) from moved`;
  const standing = [String(from.n), from.hash, from.epoch, String(from.generation)];
  return { text, values: [lane, String(to.n), to.hash, to.epoch, to.factsVersion, ...standing, projector] };
}
