import { kyselyOver, openPool, orUnavailable } from "@connect-hub/postgres";
import type { ContentTables } from "@connect-hub/projections";
import type { Connections } from "./box/connections.ts";

/** What `work` finds in the tables of content. Throws `FactsUnavailable`. */
export async function withContentTables<T>(
  { contentUrl }: Connections,
  work: (db: ReturnType<typeof kyselyOver<ContentTables>>) => Promise<T>,
): Promise<T> {
  const pool = openPool(contentUrl, { name: "hub", max: 2 });
  try {
    return await orUnavailable(() => work(kyselyOver<ContentTables>(pool)));
  } finally {
    await pool.end();
  }
}
