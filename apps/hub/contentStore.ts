import { type BlobStore, openBlobStore } from "@connect-hub/blobs";
import { processNames } from "@connect-hub/runtime";
import type { Connections } from "./box/connections.ts";

/** The bytes of files on this server's disk. */
export function storeOf({ content }: Connections): Promise<BlobStore> {
  const { dir, bytes, reserveBytes } = content;
  const budget = { budgetBytes: bytes ?? undefined, reserveBytes: reserveBytes ?? undefined };
  return openBlobStore({ folder: dir, owner: processNames(), ...budget });
}
