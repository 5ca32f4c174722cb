import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { DataFolder } from "./dataFolder.ts";
import { readTextIfThere, writeFileAtomic } from "./files.ts";

/** An ed25519 key as OpenSSH writes it. */
export interface SshKey {
  /** The text of a private key file, without a passphrase. */
  readonly privateKey: string;
  /** One line: type, key, comment. */
  readonly publicKey: string;
  /** `SHA256:…`, as OpenSSH prints it. */
  readonly fingerprint: string;
}

/** Makes a new ed25519 key. */
export function makeSshKey(comment: string): SshKey {
  const { d = "", x = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const [seed, point] = [Buffer.from(d, "base64url"), Buffer.from(x, "base64url")];
  const blob = Buffer.concat([string("ssh-ed25519"), string(point)]);
  // OpenSSH's PROTOCOL.key: the same random number twice shows that a passphrase was right, then the key, padded to blocks of 8.
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, blob, string(Buffer.concat([seed, point])), string(comment)]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(0, (8 - (secret.length % 8)) % 8);
  const file = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    string("none"),
    string("none"),
    string(""),
    Buffer.from([0, 0, 0, 1]),
    string(blob),
    string(Buffer.concat([secret, padding])),
  ]);
  const lines = file.toString("base64").match(/.{1,70}/g) ?? [];
  return {
    privateKey: ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n"),
    publicKey: `ssh-ed25519 ${blob.toString("base64")} ${comment}`,
    fingerprint: fingerprintOf(blob),
  };
}

/** The key in the file at `path` and the one beside it that ends in `.pub`: made at the first call, the same ever after. */
export function readOrMakeSshKeyFile(path: string, comment: string): SshKey {
  const privateKey = readTextIfThere(path);
  const publicKey = readTextIfThere(`${path}.pub`)?.trim();
  if (privateKey !== undefined && publicKey !== undefined) {
    return { privateKey, publicKey, fingerprint: fingerprintOf(Buffer.from(publicKey.split(" ")[1] ?? "", "base64")) };
  }
  const made = makeSshKey(comment);
  // The private key last: without it there is no key yet, and both are written anew.
  writeFileAtomic(`${path}.pub`, `${made.publicKey}\n`);
  writeFileAtomic(path, made.privateKey);
  return made;
}

/** The box's own key of that name in its secrets folder; only the folder's owner may read it. */
export function readOrMakeSshKey(folder: DataFolder, name: string): SshKey {
  return readOrMakeSshKeyFile(join(folder.secrets, name), "connect-hub");
}

function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

function string(bytes: string | Uint8Array): Buffer {
  const content = Buffer.from(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}
