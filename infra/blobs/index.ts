export { type BlobStore, type BlobStoreOptions, type Owner, openBlobStore } from "./blobStore.ts";
export { StoreFull, WrongBytes } from "./errors.ts";
export type { Received, ReceiveOptions } from "./receive.ts";
export type { Budget, StoredBlob, Usage } from "./usage.ts";
