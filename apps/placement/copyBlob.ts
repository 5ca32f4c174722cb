import { randomBytes } from "node:crypto";
import type { BlobStore } from "@connect-hub/blobs";
import { type NodeLink, type PutStep, putVerified } from "@connect-hub/ssh";

export interface CopyBlobOptions {
  readonly store: BlobStore;
  /** SHA-256, hex. */
  readonly hash: string;
  /** What the file is called on the node. */
  readonly name: string;
  readonly step?: ((name: PutStep) => void | Promise<void>) | undefined;
}

/**
 * Copies bytes of the server's disk to a node so that they are either there under their name, whole and right, or not at all. False when
 * the server doesn't have them. Throws `NodeError`.
 */
export async function copyBlob(link: NodeLink, { store, hash, name, step }: CopyBlobOptions): Promise<boolean> {
  const size = await store.sizeOf(hash);
  if (size === undefined) return false;
  // To be moved is no sign of being wanted.
  const source = store.read(hash, 0, size, { isAccess: false });
  await putVerified(link, { name, attempt: randomBytes(6).toString("hex"), source, size, hash, step });
  return true;
}
