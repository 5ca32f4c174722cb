import { type Kysely, Migrator } from "kysely";
import { authMigrations } from "./authMigrations.ts";
import { chatMigrations } from "./chatMigrations.ts";

const migrations = { auth: authMigrations, chat: chatMigrations };

/**
 * Brings a schema up to date, in one transaction, and makes it where it is not there. Waits for another process that
 * does the same. Throws what failed.
 */
export async function migrateSchema(db: Kysely<unknown>, schema: keyof typeof migrations): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations[schema] }) },
    migrationTableSchema: schema,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
