import { type ContextModel, factsVersionOf } from "@connect-hub/domain/kernel";
import type { PostgresPool } from "./openPool.ts";
import { pgGenerations } from "./pgGenerations.ts";

/**
 * Serves empty tables of a context, in a generation of their own, and drops all others: a projector finds that out and fills them
 * from the log. For when what is in the tables counts no more; readers see them fill.
 */
export async function emptyTables(pool: PostgresPool, model: ContextModel): Promise<void> {
  const generations = pgGenerations(pool, model);
  for (const { number, state } of await generations.list()) if (state !== "served") await generations.giveUp(number);
  const { number } = await generations.make(factsVersionOf(model));
  await generations.swap(number, { evenIfBehind: true });
  for (const { number: former } of await generations.list()) if (former !== number) await generations.giveUp(former);
  await generations.clean();
}
