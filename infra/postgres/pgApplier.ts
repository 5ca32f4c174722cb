import type { ContextModel } from "@connect-hub/domain/kernel";
import { schemaOf } from "@connect-hub/domain/kernel";
import type { Applier, LaneCheckpoint, ProjectedBatch } from "@connect-hub/projections";
import { changeStatements } from "./changeStatements.ts";
import { checkpointColumns } from "./checkpointColumns.ts";
import { orUnavailable, PipelineFailed, sqlStateOf } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";
import { type PipelineStep, runPipeline } from "./pipeline.ts";

const divisionByZero = "22012";
const uniqueViolation = "23505";

/** The read tables of one context in Postgres, for its projector. `pool` should be one that reaches rows by key only. */
export function pgApplier(pool: PostgresPool, model: ContextModel): Applier {
  const schema = schemaOf[model.context];
  return {
    checkpoint: (lane, epoch) =>
      orUnavailable(async () => {
        const insert = `insert into ${schema}.checkpoints (lane, n, hash, epoch, generation, facts_version)
          values ($1, 0, '', $2, 0, '') on conflict do nothing`;
        const select = `select ${checkpointColumns} from ${schema}.checkpoints where lane = $1`;
        for (;;) {
          const { rows } = await pool.query<LaneCheckpoint>(select, [lane]);
          if (rows[0] !== undefined) return rows[0];
          await pool.query(insert, [lane, epoch]);
        }
      }),

    async apply(batch) {
      // As a rule the rows that a table calls new are new. If one was not, the slower way passes over it.
      const outcome = await tryToApply(pool, batch, { schema, copyNew: true });
      if (outcome !== "met") return outcome;
      return (await tryToApply(pool, batch, { schema, copyNew: false })) === "conflict" ? "conflict" : "applied";
    },

    async noteHalt(lane, reason) {
      const text = `update ${schema}.checkpoints set halted = $2 where lane = $1 and halted is distinct from $2`;
      await orUnavailable(() => pool.query(text, [lane, reason]));
    },
  };
}

/** `met`: a row that a table calls new was there already. */
async function tryToApply(
  pool: PostgresPool,
  batch: ProjectedBatch,
  { schema, copyNew }: { schema: string; copyNew: boolean },
): Promise<"applied" | "conflict" | "met"> {
  const steps = [moveCheckpoint(schema, batch), ...batch.tables.flatMap((table) => changeStatements(table, copyNew))];
  return orUnavailable(async () => {
    try {
      await runPipeline(pool, steps);
      return "applied";
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === divisionByZero && error instanceof PipelineFailed && error.step === 0) return "conflict";
      if (state === uniqueViolation && copyNew) return "met";
      throw error;
    }
  });
}

/**
 * Compares and sets the checkpoint. When another one stands there, the division by zero ends the whole transaction, so
 * the rest may be on its way already. It comes first: a second projector waits here until the first one is done.
 */
function moveCheckpoint(schema: string, { lane, from, to }: ProjectedBatch): PipelineStep {
  const text = `with moved as (
    update ${schema}.checkpoints
    set n = $2::int8, hash = $3, epoch = $4, facts_version = $5, halted = null, at = clock_timestamp()
    where lane = $1 and n = $6::int8 and hash = $7 and epoch = $8 and generation = $9::int4
    returning 1
  ) select 1 / count(*) from moved`;
  const standing = [String(from.n), from.hash, from.epoch, String(from.generation)];
  return { text, values: [lane, String(to.n), to.hash, to.epoch, to.factsVersion, ...standing] };
}
