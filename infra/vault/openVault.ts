import { type Vault, type VaultKey, VaultUnavailable } from "@connect-hub/domain/kernel";
import { RootKeyUnusable } from "./errors.ts";
import { KeyCache } from "./keyCache.ts";
import { KeyTable, migrateVault, type NamedKey, rootsInUse } from "./keyTable.ts";
import type { Queryable } from "./queryable.ts";
import { makeRootKey, type RootKey, readRootKey } from "./rootKey.ts";

export interface VaultOptions {
  /** The database with the schema `vault`. */
  readonly db: Queryable;
  /** The file with the root key, 0600; made at the first start. */
  readonly rootFile: string;
  /** Keys in memory at most; 50,000 if left out (some 20 MiB). */
  readonly maxCachedKeys?: number;
  /**
   * A clock in milliseconds that never goes back and stands still within a turn of the event loop, so that a key that
   * was there at the beginning of a decision is there at its end; the process's if left out.
   */
  readonly now?: () => number;
}

/**
 * How long a key stays in memory after it was read. A key that another process destroyed is used here for so long at
 * most, to seal or to open; the process that destroys it forgets it at once.
 */
export const cachedKeyLifeMs = 60_000;

/**
 * The vault: keys wrapped under a root key, in a database of its own. Makes its schema and, when there are no keys yet,
 * its root key. Throws `RootKeyUnusable` (file missing though keys are there, wrong file, wrong rights), `VaultUnavailable`.
 */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const { db, rootFile, now = turnClock() } = options;
  await orUnavailable(() => migrateVault(db));
  const root = await findRootKey(db, rootFile);
  const table = new KeyTable(db, root);
  const cache = new KeyCache({ maxKeys: options.maxCachedKeys ?? 50_000, lifeMs: cachedKeyLifeMs, now });
  const remember = (keys: readonly NamedKey[]): void => {
    for (const { name, key } of keys) cache.put(name, key);
  };
  return {
    cached: (name) => cache.byName(name),

    async named(names) {
      const wanted = [...new Set(names)].filter((name) => cache.byName(name) === undefined);
      if (wanted.length === 0) return;
      const found = await orUnavailable(() => table.byNames(wanted));
      remember(found);
      const there = new Set(found.map(({ name }) => name));
      const missing = wanted.filter((name) => !there.has(name));
      if (missing.length === 0) return;
      await orUnavailable(() => table.make(missing));
      remember(await orUnavailable(() => table.byNames(missing)));
    },

    async byId(ids) {
      const keys = new Map<string, VaultKey>();
      const wanted = new Set<string>();
      for (const id of ids) {
        const key = cache.byId(id);
        if (key === undefined) wanted.add(id);
        else keys.set(id, key);
      }
      if (wanted.size === 0) return keys;
      const found = await orUnavailable(() => table.byIds([...wanted]));
      remember(found);
      for (const { key } of found) keys.set(key.id, key);
      return keys;
    },

    async destroy(prefix) {
      if (prefix === "") throw new TypeError("an empty prefix would destroy every key of the vault");
      const destroyed = await orUnavailable(() => table.destroy(prefix));
      cache.forget(prefix);
      return destroyed;
    },
  };
}

function turnClock(): () => number {
  let ofThisTurn: number | undefined;
  return () => {
    if (ofThisTurn === undefined) {
      ofThisTurn = performance.now();
      setImmediate(() => {
        ofThisTurn = undefined;
      });
    }
    return ofThisTurn;
  };
}

async function findRootKey(db: Queryable, rootFile: string): Promise<RootKey> {
  const roots = await orUnavailable(() => rootsInUse(db));
  const found = readRootKey(rootFile);
  if (found === undefined && roots.length > 0) {
    throw new RootKeyUnusable(
      `there is no root key at ${rootFile}, but the vault holds keys wrapped by ${roots.join(", ")}: put that file back (a new root key could not open them)`,
    );
  }
  const root = found ?? makeRootKey(rootFile);
  const other = roots.find((id) => id !== root.id);
  if (other === undefined) return root;
  throw new RootKeyUnusable(
    `the vault holds keys wrapped by the root key ${other}, but ${rootFile} is ${root.id}: put the right file there`,
  );
}

async function orUnavailable<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof RootKeyUnusable) throw cause;
    throw new VaultUnavailable(`the vault is away: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
