import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { RootKeyUnusable } from "./errors.ts";
import type { RootKey } from "./rootKey.ts";

// A stored format: nonce (12 bytes), ciphertext (32), tag (16). The id of the key is authenticated.

const nonceBytes = 12;
const tagBytes = 16;

/** `key` as it lies in the database. */
export function wrap(key: Uint8Array, id: string, root: RootKey): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", root.bytes, nonce).setAAD(Buffer.from(id));
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
}

/** The key with this id. Throws `RootKeyUnusable` when it was wrapped by another root key, or altered. */
export function unwrap(wrapped: Uint8Array, id: string, root: RootKey): Uint8Array {
  try {
    const decipher = createDecipheriv("aes-256-gcm", root.bytes, wrapped.subarray(0, nonceBytes));
    decipher.setAAD(Buffer.from(id)).setAuthTag(wrapped.subarray(-tagBytes));
    return Buffer.concat([decipher.update(wrapped.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  } catch (cause) {
    throw new RootKeyUnusable(`the root key ${root.id} does not open the key ${id} of the vault`, { cause });
  }
}
