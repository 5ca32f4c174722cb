import { BrokenRecords, CommitChain, decodeLines, decodeRecords } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { assertOpens, type RootKey, type WrappedKey } from "@connect-hub/vault";
import { checkedBytes, checkedWhole, type FileEntry } from "./backupFiles.ts";
import { BackupUnsound } from "./errors.ts";
import { laneFile, type Manifest, readManifest, vaultKeysFile, vaultRootFile } from "./manifest.ts";
import type { BackupProgress } from "./takeBackup.ts";

/** A backup that was found whole. */
export interface CheckedBackup {
  readonly folder: string;
  readonly manifest: Manifest;
  /** SHA-256 (hex) of the manifest: which backup it is. */
  readonly hash: string;
  /** Of each lane the term and the instant (ISO) of its last commit. */
  readonly ends: ReadonlyMap<LaneId, { readonly term: number; readonly at: string }>;
  readonly root: RootKey;
}

/** Reads all of a backup: every hash, every chain, and that the root key opens every key. Throws `BackupUnsound`. */
export async function checkBackup(folder: string, progress: BackupProgress): Promise<CheckedBackup> {
  const { manifest, hash } = await readManifest(folder);
  const backup = { folder, manifest };
  const ends = new Map<LaneId, { term: number; at: string }>();
  for (const lane of manifest.lanes) ends.set(lane.lane, await checkLane(backup, lane, progress));
  const root = await readRoot(backup);
  await checkVault(backup, root);
  const others = manifest.files.filter(({ path }) => !path.startsWith("lanes/") && path !== vaultKeysFile);
  for (const [index, entry] of others.entries()) {
    progress.signal.throwIfAborted();
    for await (const _ of checkedBytes(folder, entry));
    progress.onProgress?.("files checked", index + 1, others.length);
  }
  return { folder, manifest, hash, ends, root };
}

type Readable = Pick<CheckedBackup, "folder" | "manifest">;

/** The commits of a lane, in order, as they were stored. Throws `BackupUnsound`. */
export async function* commitsOf({ folder, manifest }: Readable, lane: LaneId): AsyncGenerator<Buffer, void> {
  const entry = entryOf(manifest, laneFile(lane));
  try {
    yield* decodeRecords(checkedBytes(folder, entry));
  } catch (cause) {
    if (cause instanceof BrokenRecords) throw new BackupUnsound(entry.path, "unreadable", cause.message, cause);
    throw cause;
  }
}

/** The keys of the vault, some at a time. Throws `BackupUnsound`. */
export async function* keysOf({ folder, manifest }: Readable): AsyncGenerator<readonly WrappedKey[], void> {
  const entry = entryOf(manifest, vaultKeysFile);
  let some: WrappedKey[] = [];
  for await (const line of decodeLines(checkedBytes(folder, entry))) {
    some.push(parseKey(line));
    if (some.length < keysAtATime) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

function parseKey(line: string): WrappedKey {
  try {
    const key: WrappedKey = JSON.parse(line);
    if ([key.id, key.name, key.root, key.wrapped, key.createdAt].every((value) => typeof value === "string"))
      return key;
  } catch (cause) {
    throw new BackupUnsound(vaultKeysFile, "unreadable", "a line is not JSON", cause);
  }
  throw new BackupUnsound(vaultKeysFile, "unreadable", "a line is no key");
}

async function checkLane(
  backup: Readable,
  { lane, n, hash, epoch }: Manifest["lanes"][number],
  { onProgress, signal }: BackupProgress,
): Promise<{ term: number; at: string }> {
  const chain = new CommitChain(lane);
  const broken = (what: string) => new BackupUnsound(laneFile(lane), "broken chain", what);
  for await (const bytes of commitsOf(backup, lane)) {
    signal.throwIfAborted();
    const fault = chain.take(bytes);
    if (fault !== undefined) throw broken(`commit ${chain.sums.commits + 1}: ${fault}`);
    if (chain.sums.commits % showEvery === 0) onProgress?.(`commits of ${lane} checked`, chain.sums.commits, n);
  }
  const { commits, head } = chain.sums;
  if (commits !== n || head !== hash)
    throw broken(`it ends at commit ${commits} instead of ${n}, or with another hash`);
  if (chain.last !== undefined && chain.last.epoch !== epoch) throw broken(`it ends in epoch ${chain.last.epoch}`);
  onProgress?.(`commits of ${lane} checked`, n, n);
  return { term: chain.last?.term ?? 0, at: chain.last?.at ?? new Date(0).toISOString() };
}

async function readRoot({ folder, manifest }: Readable): Promise<RootKey> {
  const text = (await checkedWhole(folder, entryOf(manifest, vaultRootFile))).toString();
  if (!/^[0-9a-f]{64}\n$/.test(text)) throw new BackupUnsound(vaultRootFile, "unreadable", "it is no root key");
  return { id: manifest.vault.root, bytes: Buffer.from(text.trim(), "hex") };
}

async function checkVault(backup: Readable, root: RootKey): Promise<void> {
  let keys = 0;
  for await (const some of keysOf(backup)) {
    for (const key of some) {
      try {
        if (key.root !== root.id) throw new Error(`it was wrapped by the root key ${key.root}`);
        assertOpens(root, key);
      } catch (cause) {
        throw new BackupUnsound(vaultKeysFile, "wrong keys", `the root key does not open ${key.id}`, cause);
      }
    }
    keys += some.length;
  }
  const wanted = backup.manifest.vault.keys;
  if (keys !== wanted) throw new BackupUnsound(vaultKeysFile, "changed", `it has ${keys} keys instead of ${wanted}`);
}

function entryOf({ files }: Manifest, path: string): FileEntry {
  const entry = files.find((one) => one.path === path);
  if (entry === undefined) throw new BackupUnsound(path, "missing", "the manifest does not name it");
  return entry;
}

const keysAtATime = 2_000;
const showEvery = 500;
