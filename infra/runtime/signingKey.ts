import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { RuntimeError } from "./errors.ts";
import { readTextIfThere, writeFileAtomic } from "./files.ts";

/** The Ed25519 key in the file at `path` (PKCS #8, PEM). Throws `RuntimeError` `DataUnusable` when it is missing or none. */
export function readSigningKey(path: string): KeyObject {
  const text = readTextIfThere(path);
  if (text === undefined)
    throw new RuntimeError("DataUnusable", `There is no signing key at ${path}: npm run hub -- up makes one.`);
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // Said below.
  }
  throw new RuntimeError(
    "DataUnusable",
    `What is in ${path} is no Ed25519 key: put the signing key of this box there.`,
  );
}

/** The same; made at the first call, its file readable by its owner alone. */
export function readOrMakeSigningKey(path: string): KeyObject {
  if (readTextIfThere(path) === undefined) {
    const { privateKey } = generateKeyPairSync("ed25519");
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileAtomic(path, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  }
  return readSigningKey(path);
}
