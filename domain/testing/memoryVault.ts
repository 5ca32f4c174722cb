import { randomBytes, randomUUID } from "node:crypto";
import type { Vault, VaultKey } from "../kernel/ports.ts";

/** A vault in memory. */
export function memoryVault(): Vault {
  const byName = new Map<string, VaultKey>();
  return {
    cached: (name) => byName.get(name),
    async named(names) {
      for (const name of names) {
        if (!byName.has(name)) byName.set(name, { id: randomUUID(), bytes: randomBytes(32) });
      }
    },
    async byId(ids) {
      const wanted = new Set(ids);
      return new Map([...byName.values()].filter((key) => wanted.has(key.id)).map((key) => [key.id, key]));
    },
    async destroy(prefix) {
      const doomed = [...byName.keys()].filter((name) => name.startsWith(prefix));
      for (const name of doomed) byName.delete(name);
      return doomed.length;
    },
  };
}
