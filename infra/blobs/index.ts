export { type BlobStore, type BlobStoreOptions, type Owner, openBlobStore } from "./blobStore.ts";
export { StoreFull, TooManyUploads, UploadGone, UploadTaken, WrongBytes } from "./errors.ts";
export type { HeldUpload } from "./heldUpload.ts";
export type { Received, ReceiveOptions } from "./receive.ts";
export type { SeenUpload, UploadName } from "./uploads.ts";
export type { Budget, StoredBlob, Usage } from "./usage.ts";
