import type { Kysely } from "kysely";
import type { AuthTables } from "../tables.ts";

/** What anybody may know of a person. `name` is null once the account was closed. */
export interface Person {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
}

/** The people with these ids, in no order; ids that nobody has are left out. */
export async function peopleByIds(db: Kysely<AuthTables>, ids: readonly string[]): Promise<Person[]> {
  if (ids.length === 0) return [];
  return db
    .selectFrom("auth.users")
    .select(["id", "name", "status"])
    .where("id", "in", [...new Set(ids)])
    .execute();
}
