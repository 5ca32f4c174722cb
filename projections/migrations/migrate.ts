import type { Schema } from "@connect-hub/domain/kernel";
import { type Kysely, type Migration, Migrator } from "kysely";
import { authMigrations } from "./authMigrations.ts";
import { chatMigrations } from "./chatMigrations.ts";
import { contentMigrations } from "./contentMigrations.ts";

const migrations: { readonly [schema in Schema]: { readonly [name: string]: Migration } } = {
  auth: authMigrations,
  chat: chatMigrations,
  content: contentMigrations,
};

/**
 * Brings a schema up to date, in one transaction, and makes it where it is not there. Waits for another process that
 * does the same. Throws what failed.
 */
export async function migrateSchema(db: Kysely<unknown>, schema: Schema): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations[schema] }) },
    migrationTableSchema: schema,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
