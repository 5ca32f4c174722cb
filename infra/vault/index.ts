export { assertOpens, replaceVault, type WrappedKey, wrappedKeys } from "./copyVault.ts";
export { openVault, type VaultOptions } from "./openVault.ts";
export type { Queryable } from "./queryable.ts";
export { type RootKey, readRootKey } from "./rootKey.ts";
