import { migrateVault, rootsInUse } from "./keyTable.ts";
import type { Queryable } from "./queryable.ts";
import { type RootKey, replaceRootKey } from "./rootKey.ts";
import { unwrap } from "./wrapping.ts";

// A stored format of backups: a key as it lies in the vault, wrapped under the root key.

/** One key of the vault, still wrapped. */
export interface WrappedKey {
  readonly id: string;
  readonly name: string;
  /** The id of the root key that wrapped it. */
  readonly root: string;
  /** base64url of nonce, ciphertext and tag. */
  readonly wrapped: string;
  /** ISO instant. */
  readonly createdAt: string;
}

const rowsAtATime = 2_000;

/** All keys of the vault in the order of their ids. Whatever is there at the call and stays there is among them. */
export async function* wrappedKeys(db: Queryable): AsyncGenerator<readonly WrappedKey[], void> {
  let after = "00000000-0000-0000-0000-000000000000";
  for (;;) {
    const { rows } = await db.query(
      `select id, name, root, encode(wrapped, 'base64') as wrapped, created_at as "createdAt"
       from vault.keys where id > $1::uuid order by id limit ${rowsAtATime}`,
      [after],
    );
    const keys = (rows as WrappedKey[]).map((row) => ({
      ...row,
      wrapped: Buffer.from(row.wrapped, "base64").toString("base64url"),
      createdAt: new Date(row.createdAt).toISOString(),
    }));
    if (keys.length > 0) yield keys;
    if (keys.length < rowsAtATime) return;
    after = keys.at(-1)?.id ?? after;
  }
}

/** Throws `RootKeyUnusable` when `root` does not open the key. */
export function assertOpens(root: RootKey, { id, wrapped }: WrappedKey): void {
  unwrap(Buffer.from(wrapped, "base64url"), id, root);
}

/**
 * Puts these keys in the place of all that are in the vault, and their root key in the place of the file's. What breaks off
 * in the middle is to be done again: until then the vault is of no use.
 */
export async function replaceVault(
  { db, rootFile }: { readonly db: Queryable; readonly rootFile: string },
  root: RootKey,
  keys: AsyncIterable<readonly WrappedKey[]>,
): Promise<void> {
  await migrateVault(db);
  await db.query("delete from vault.keys");
  replaceRootKey(rootFile, root);
  for await (const some of keys) {
    const column = (of: (key: WrappedKey) => string): string[] => some.map(of);
    await db.query(
      `insert into vault.keys (id, name, root, wrapped, created_at)
       select id, name, root, decode(wrapped, 'base64'), created_at
       from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) as k(id, name, root, wrapped, created_at)`,
      [
        column(({ id }) => id),
        column(({ name }) => name),
        column(({ root: by }) => by),
        column(({ wrapped }) => Buffer.from(wrapped, "base64url").toString("base64")),
        column(({ createdAt }) => createdAt),
      ],
    );
  }
  const other = (await rootsInUse(db)).find((id) => id !== root.id);
  if (other !== undefined) throw new Error(`somebody made a key under the root key ${other} meanwhile; do it again`);
}
