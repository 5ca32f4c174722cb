export { RootKeyUnusable } from "./errors.ts";
export { cachedKeyLifeMs, openVault, type VaultOptions } from "./openVault.ts";
export type { Queryable } from "./queryable.ts";
