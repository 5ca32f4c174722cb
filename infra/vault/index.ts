export { openVault, type VaultOptions } from "./openVault.ts";
export type { Queryable } from "./queryable.ts";
