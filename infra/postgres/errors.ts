import { FactsUnavailable } from "@connect-hub/domain/kernel";
import { GenerationRefused } from "@connect-hub/projections";
import pg from "pg";

/** A step of a pipeline failed, and with it all of them. `step` is its index. */
export class PipelineFailed extends Error {
  readonly step: number;

  constructor(step: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.step = step;
  }
}

/**
 * What Postgres says when it is starting, stopping, full, too slow, or has to be asked again, and of tables that were dropped or
 * are not made yet:
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const passing = /^(?:08|53|57|58)|^(?:25006|25P03|3F000|40001|40P01|42P01|55P03)$/;

/** The SQLSTATE in an error that Postgres itself sent, or undefined. */
export function sqlStateOf(error: unknown): string | undefined {
  const cause = error instanceof PipelineFailed ? error.cause : error;
  return cause instanceof pg.DatabaseError ? cause.code : undefined;
}

/**
 * What `ask`, which does nothing but talk to Postgres, gives. Throws `FactsUnavailable` when the same may succeed later;
 * any other error, and what was refused within, as it is.
 */
export async function orUnavailable<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    const state = sqlStateOf(cause);
    if (
      cause instanceof TypeError ||
      cause instanceof GenerationRefused ||
      (state !== undefined && !passing.test(state))
    )
      throw cause;
    throw new FactsUnavailable(`Postgres: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
