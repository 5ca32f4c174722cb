import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LaneId } from "@connect-hub/domain/values";
import { z } from "zod";
import { BackupUnsound } from "./errors.ts";

// A stored format, described in docs/backup.md. What looks different gets a new `format`.

export const manifestFile = "manifest.json";
/** The hash of the manifest, as `sha256sum` writes it. */
export const manifestHashFile = "manifest.sha256";
/** The keys of the vault, one JSON object a line. */
export const vaultKeysFile = "vault/keys.jsonl";
/** The key that opens them: 64 hex digits and a line feed. */
export const vaultRootFile = "vault/root";
/** The key by which the box signs in at its nodes; missing when it has none. */
export const sshKeyFile = "secrets/placement-ssh-key";
/** The key that signs where the log is; missing where none was. */
export const signingKeyFile = "secrets/signing-key";
/** The commits of a lane, as `encodeRecord` writes them. */
export const laneFile = (lane: LaneId): string => `lanes/${lane}.commits`;
/** The bytes that a hash stands for. */
export const blobFile = (hash: string): string => `blobs/${hash.slice(0, 2)}/${hash}`;

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().min(0);
const laneId = z.custom<LaneId>((value) => typeof value === "string" && /^[a-z]+\.\d{1,4}$/.test(value));
const path = z.string().regex(/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/);

const lane = z.object({
  lane: laneId,
  /** 32 hex digits: the epoch of the last commit. */
  epoch: z.string().regex(/^[0-9a-f]{32}$/),
  /** The number of the last commit; 0 for none. */
  n: count,
  /** The hash of the last commit; empty for none. */
  hash: z.union([hash, z.literal("")]),
  /** The commit up to which what follows from each event was done. */
  reacted: count,
});

const schema = z.object({
  format: z.literal(1),
  createdAt: z.iso.datetime(),
  lanes: z.array(lane).min(1),
  vault: z.object({ keys: count, root: z.string() }),
  /** Bytes that the log promises, and that lie on nodes alone: they are not in the backup. */
  elsewhere: z.array(z.object({ hash, size: count, nodes: z.array(z.object({ node: z.string(), name: z.string() })) })),
  configuration: z.object({ roomLanes: count, laneBytes: count, prefix: z.string() }),
  files: z.array(z.object({ path, size: count, sha256: hash })),
});

/** What a backup says of itself. */
export type Manifest = Readonly<z.infer<typeof schema>>;
export type BackedUpLane = Manifest["lanes"][number];

/** The manifest's text, and the text of the file with its hash. */
export function encodeManifest(manifest: Manifest): { readonly text: string; readonly hashText: string } {
  const text = `${JSON.stringify(manifest, undefined, 1)}\n`;
  return { text, hashText: `${sha256(text)}  ${manifestFile}\n` };
}

/** Reads the manifest of the backup in `folder`, and its hash. Throws `BackupUnsound`. */
export async function readManifest(folder: string): Promise<{ readonly manifest: Manifest; readonly hash: string }> {
  const text = await read(folder, manifestFile);
  const [expected = ""] = (await read(folder, manifestHashFile)).split(" ");
  const found = sha256(text);
  if (found !== expected) throw new BackupUnsound(manifestFile, "changed", "its SHA-256 is another one");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new BackupUnsound(manifestFile, "unreadable", "it is not JSON", cause);
  }
  const format = typeof json === "object" && json !== null && "format" in json ? json.format : undefined;
  if (format !== 1) {
    throw new BackupUnsound(
      manifestFile,
      "unknown version",
      `its format is ${JSON.stringify(format)}, this hub reads 1`,
    );
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { manifest: parsed.data, hash: found };
  const [issue] = parsed.error.issues;
  throw new BackupUnsound(manifestFile, "unreadable", `${issue?.path.join(".")}: ${issue?.message}`);
}

async function read(folder: string, file: string): Promise<string> {
  try {
    return await readFile(join(folder, file), "utf8");
  } catch (cause) {
    const isMissing =
      cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR");
    throw new BackupUnsound(file, isMissing ? "missing" : "unreadable", `${join(folder, file)} can't be read`, cause);
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
