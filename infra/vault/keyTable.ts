import { randomBytes, randomUUID } from "node:crypto";
import type { VaultKey } from "@connect-hub/domain/kernel";
import type { Queryable } from "./queryable.ts";
import type { RootKey } from "./rootKey.ts";
import { unwrap, wrap } from "./wrapping.ts";

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A key with its name. */
export interface NamedKey {
  readonly name: string;
  readonly key: VaultKey;
}

/** `vault.keys`: the wrapped keys. A destroyed one is deleted, so its name may come again with another key. */
export class KeyTable {
  readonly #db: Queryable;
  readonly #root: RootKey;

  constructor(db: Queryable, root: RootKey) {
    this.#db = db;
    this.#root = root;
  }

  byNames(names: readonly string[]): Promise<NamedKey[]> {
    return this.#select("select id, name, wrapped from vault.keys where name = any($1::text[])", names);
  }

  byIds(ids: readonly string[]): Promise<NamedKey[]> {
    const sound = ids.filter((id) => uuid.test(id));
    return this.#select("select id, name, wrapped from vault.keys where id = any($1::uuid[])", sound);
  }

  /** Makes keys of these names, but for those that are there by then. */
  async make(names: readonly string[]): Promise<void> {
    const ids = names.map(() => randomUUID());
    const wrapped = ids.map((id) => wrap(randomBytes(32), id, this.#root).toString("hex"));
    // In one order, so that processes that make the same names at once wait for each other instead of deadlocking.
    const sorted = [...names].sort();
    await this.#db.query(
      `insert into vault.keys (id, name, root, wrapped)
       select id, name, $4, decode(wrapped, 'hex') from unnest($1::uuid[], $2::text[], $3::text[]) as k(id, name, wrapped)
       on conflict (name) do nothing`,
      [ids, sorted, wrapped, this.#root.id],
    );
  }

  /** Deletes the keys whose names start with `prefix`; how many there were. */
  async destroy(prefix: string): Promise<number> {
    const { rows } = await this.#db.query("delete from vault.keys where starts_with(name, $1) returning id", [prefix]);
    return rows.length;
  }

  async #select(text: string, values: readonly string[]): Promise<NamedKey[]> {
    const { rows } = await this.#db.query(text, [values]);
    return (rows as { id: string; name: string; wrapped: Uint8Array }[]).map(({ id, name, wrapped }) => ({
      name,
      key: { id, bytes: unwrap(wrapped, id, this.#root) },
    }));
  }
}

/** Makes the schema `vault` where it is not there. Any number of processes may do so at once. */
export async function migrateVault(db: Queryable): Promise<void> {
  await db.query(`
    select pg_advisory_xact_lock(7217740511);
    create schema if not exists vault;
    create table if not exists vault.keys (
      id uuid primary key,
      name text collate "C" not null unique,
      root text not null,
      wrapped bytea not null,
      created_at timestamptz not null default now()
    )`);
}

/** The ids of the root keys that wrapped what is in the vault. */
export async function rootsInUse(db: Queryable): Promise<string[]> {
  const { rows } = await db.query("select distinct root from vault.keys");
  return (rows as { root: string }[]).map(({ root }) => root);
}
