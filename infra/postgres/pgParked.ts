import { type ContextModel, type ParkedMark, type Subject, schemaOf } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { generationSchema } from "@connect-hub/projections";
import { orUnavailable } from "./errors.ts";
import type { PostgresPool } from "./openPool.ts";
import { arrayText } from "./valueText.ts";

/** A parked subject and its lane. */
export type LaneMark = ParkedMark & { readonly lane: LaneId };

/** The parked subjects of one context, for an operator. All methods throw `FactsUnavailable`. */
export interface ParkedTables {
  /** Those of one generation of the tables, by lane and commit. */
  list(generation: number): Promise<readonly LaneMark[]>;
  /** Asks the generation's projectors to try these again. */
  askForRetry(generation: number, subjects: readonly (Subject & { readonly lane: LaneId })[]): Promise<void>;
}

/** Those of the tables of `model` in Postgres. */
export function pgParked(pool: PostgresPool, model: ContextModel): ParkedTables {
  const tableOf = (generation: number) => `${generationSchema(schemaOf[model.context], generation)}.parked`;
  return {
    list: (generation) =>
      orUnavailable(async () => {
        const text = `select lane, kind, id, from_n as "from", type, reason, retry from ${tableOf(generation)}
          order by lane, from_n, kind, id`;
        return (await pool.query<LaneMark>(text)).rows;
      }),
    async askForRetry(generation, subjects) {
      const text = `update ${tableOf(generation)} p set retry = true
        from unnest($1::text[], $2::text[], $3::text[]) as v(lane, kind, id)
        where p.lane = v.lane and p.kind = v.kind and p.id = v.id`;
      const values = (["lane", "kind", "id"] as const).map((key) => arrayText(subjects.map((one) => one[key])));
      await orUnavailable(() => pool.query(text, values));
    },
  };
}
