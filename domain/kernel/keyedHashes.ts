import { createHash, createHmac } from "node:crypto";
import type { KeyedHashes } from "./command.ts";
import { type Vault, VaultUnavailable } from "./ports.ts";

/** Loads (at the very first start: makes) the three keys behind `KeyedHashes`. Throws `VaultUnavailable`. */
export async function loadKeyedHashes(vault: Vault): Promise<KeyedHashes> {
  const names = ["hash:lookup", "hash:digest", "hash:session"];
  await vault.named(names);
  const [lookup, digest, session] = names.map((name) => {
    const key = vault.cached(name);
    if (key === undefined) throw new VaultUnavailable(`the vault did not keep ${name}`);
    return Buffer.from(key.bytes);
  }) as [Buffer, Buffer, Buffer];
  return {
    lookup: (text) => createHmac("sha256", lookup).update(text).digest("hex"),
    digest: (text) => createHmac("sha256", digest).update(text).digest("hex"),
    sessionSecret: (sessionId) => createHmac("sha256", session).update(sessionId).digest("base64url"),
  };
}

/** What is stored of the secret part of a session's token: its SHA-256, hex. */
export function tokenHashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
