import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { contentModel } from "@connect-hub/domain/content";
import {
  CommitChain,
  decodeCommit,
  encodeRecord,
  type Lane,
  MemoryTables,
  ParkingFold,
} from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { type Queryable, readRootKey, wrappedKeys } from "@connect-hub/vault";
import { type FileEntry, FileWriter, writeWhole } from "./backupFiles.ts";
import { blobsIn, copyBlob } from "./blobCopies.ts";
import { consistentHeads } from "./consistentHeads.ts";
import { BackupFailed } from "./errors.ts";
import {
  type BackedUpLane,
  blobFile,
  encodeManifest,
  laneFile,
  type Manifest,
  manifestFile,
  manifestHashFile,
  signingKeyFile,
  sshKeyFile,
  vaultKeysFile,
  vaultRootFile,
} from "./manifest.ts";
import { openTarget } from "./target.ts";

/** What a backup is taken of. */
export interface BackupSources {
  /** All of the log. */
  readonly lanes: readonly BackupLane[];
  readonly vault: { readonly db: Queryable; readonly rootFile: string };
  /** The folder of the content store. */
  readonly contentDir: string;
  /** The file with the key for nodes; it need not be there. */
  readonly sshKey: string;
  /** The file with the key that signs heads; it need not be there either. */
  readonly signingKey: string;
  readonly configuration: Manifest["configuration"];
}

export interface BackupLane {
  readonly lane: Lane;
  /** About how many bytes its commits have. */
  readonly bytes: number;
  /** Up to which commit its reactor has done what follows. */
  reacted(): Promise<number>;
}

/** What is told while a backup is taken or checked, or a restore runs. */
export interface BackupProgress {
  /** `done` of `total` units of the part that `what` names, for example `commits of rooms.0`. */
  onProgress?(what: string, done: number, total: number): void;
  readonly signal: AbortSignal;
}

/**
 * Writes a backup to `dir`, which must not be there, while people go on. First how far the reactors are, then the heads of the
 * lanes, then the vault: every key is durable before its commit, and everything that a reactor calls done is in the log. Bytes
 * are copied before that and after it, so that one that is moved to a node meanwhile was copied. Throws `BackupFailed`; then
 * nothing is left of it.
 */
export async function takeBackup(dir: string, sources: BackupSources, progress: BackupProgress): Promise<Manifest> {
  const stored = await blobsIn(sources.contentDir);
  const blobBytes = stored.reduce((sum, { size }) => sum + size, 0);
  const target = await openTarget(dir, blobBytes + sources.lanes.reduce((sum, { bytes }) => sum + bytes, 0));
  try {
    const manifest = await write(target.partial, sources, progress);
    await target.finish();
    return manifest;
  } catch (error) {
    await target.abandon();
    throw error;
  }
}

async function write(folder: string, sources: BackupSources, progress: BackupProgress): Promise<Manifest> {
  const createdAt = new Date().toISOString();
  await copyBlobs(
    folder,
    sources.contentDir,
    (await blobsIn(sources.contentDir)).map(({ hash }) => hash),
    progress,
  );
  const reacted = new Map<LaneId, number>();
  for (const { lane, reacted: read } of sources.lanes) reacted.set(lane.id, await read());
  const heads = await consistentHeads(sources.lanes.map(({ lane }) => lane));
  const files: FileEntry[] = [];
  const lanes: BackedUpLane[] = [];
  const content = { tables: new MemoryTables(contentModel.tables), fold: new ParkingFold(contentModel) };
  for (const { lane } of sources.lanes) {
    const n = heads.get(lane.id) ?? 0;
    const copied = await copyLane(folder, lane, n, content, progress);
    files.push(copied.file);
    lanes.push({ ...copied.lane, reacted: Math.min(reacted.get(lane.id) ?? 0, n) });
  }
  const vault = await copyVault(folder, sources.vault);
  files.push(...vault.files);
  const { entries, elsewhere } = await copyPromised(folder, sources.contentDir, content, progress);
  files.push(...entries);
  const keyFiles = [
    [sources.sshKey, sshKeyFile],
    [sources.signingKey, signingKeyFile],
  ] as const;
  for (const [path, name] of keyFiles) {
    const key = await readFile(path).catch(() => undefined);
    if (key !== undefined) files.push(await writeWhole(folder, name, key));
  }
  const { configuration } = sources;
  const manifest: Manifest = { format: 1, createdAt, lanes, vault: vault.about, elsewhere, configuration, files };
  const { text, hashText } = encodeManifest(manifest);
  await writeWhole(folder, manifestFile, text);
  await writeWhole(folder, manifestHashFile, hashText);
  return manifest;
}

/** What the log says of bytes, around what this version can't apply. */
interface ContentFold {
  readonly tables: MemoryTables;
  readonly fold: ParkingFold;
}

/** Copies the commits up to `n`, checked; those of the content lane are folded into `content`. */
async function copyLane(
  folder: string,
  lane: Lane,
  n: number,
  content: ContentFold,
  { onProgress, signal }: BackupProgress,
): Promise<{ readonly file: FileEntry; readonly lane: Omit<BackedUpLane, "reacted"> }> {
  const chain = new CommitChain(lane.id);
  const stop = new AbortController();
  if (n === 0) stop.abort();
  const file = await FileWriter.make(folder, laneFile(lane.id), async (writer) => {
    for await (const batch of lane.read(1, AbortSignal.any([stop.signal, signal]))) {
      const wanted = batch.filter((commit) => commit.n <= n);
      for (const commit of wanted) {
        const fault = chain.take(commit.bytes);
        if (fault !== undefined)
          throw new BackupFailed(`The log is damaged: commit ${commit.n} of ${lane.id}: ${fault}.`);
        if (!lane.id.startsWith("content.")) continue;
        // What is sealed in them says nothing of bytes.
        content.tables.apply(content.fold.take(decodeCommit(commit.bytes), new Map()).changes);
      }
      await writer.write(Buffer.concat(wanted.map(({ bytes }) => encodeRecord(bytes))));
      onProgress?.(`commits of ${lane.id}`, chain.sums.commits, n);
      if (chain.sums.commits >= n) stop.abort();
    }
    signal.throwIfAborted();
  });
  const { head: hash } = chain.sums;
  return { file, lane: { lane: lane.id, epoch: chain.last?.epoch ?? lane.epoch, n, hash } };
}

async function copyVault(folder: string, { db, rootFile }: BackupSources["vault"]) {
  const root = readRootKey(rootFile);
  if (root === undefined) throw new BackupFailed(`There is no root key of the vault at ${rootFile}.`);
  let keys = 0;
  const file = await FileWriter.make(folder, vaultKeysFile, async (writer) => {
    for await (const some of wrappedKeys(db)) {
      const other = some.find((key) => key.root !== root.id);
      if (other !== undefined)
        throw new BackupFailed(`The vault holds keys under the root key ${other.root}, not ${root.id}.`);
      keys += some.length;
      await writer.write(Buffer.from(some.map((key) => `${JSON.stringify(key)}\n`).join("")));
    }
  });
  const rootEntry = await writeWhole(folder, vaultRootFile, `${Buffer.from(root.bytes).toString("hex")}\n`);
  return { files: [file, rootEntry], about: { keys, root: root.id } };
}

/**
 * Makes sure that exactly the bytes are there that the log promises to be on this machine, and those of which nobody can tell as long as
 * they are parked, if they are on it; lists those that are not on it.
 */
async function copyPromised(
  folder: string,
  contentDir: string,
  { tables: content, fold }: ContentFold,
  progress: BackupProgress,
) {
  const blobs = content.rows("blobs");
  const parked = new Set([...fold.marks].flatMap(({ kind, id }) => (kind === "blob" ? [id] : [])));
  const promised = blobs.filter((row) => row.local === true).map((row) => String(row.hash));
  const local = new Set([...promised, ...parked]);
  await copyBlobs(folder, contentDir, [...local], progress);
  const entries: FileEntry[] = [];
  for (const { hash, size } of await blobsIn(folder)) {
    if (local.delete(hash)) entries.push({ path: blobFile(hash), size, sha256: hash });
    else await rm(join(folder, blobFile(hash)));
  }
  const nodes = new Map<string, { node: string; name: string }[]>();
  for (const { hash, node, name } of content.rows("replicas")) {
    nodes.set(String(hash), [...(nodes.get(String(hash)) ?? []), { node: String(node), name: String(name) }]);
  }
  // An upload of bytes that were being dropped may have promised them anew, just before they went.
  const missing = [...local].find((hash) => !nodes.has(hash) && !parked.has(hash));
  if (missing !== undefined) {
    throw new BackupFailed(
      `The bytes ${missing} were moved away while the backup was taken, or are lost; take it again.`,
    );
  }
  const elsewhere = blobs
    .filter((row) => (row.local !== true || local.has(String(row.hash))) && Number(row.refs) > 0)
    .map((row) => ({ hash: String(row.hash), size: Number(row.size), nodes: nodes.get(String(row.hash)) ?? [] }));
  return { entries: entries.sort((a, b) => (a.path < b.path ? -1 : 1)), elsewhere };
}

/** Copies those that are here and not in the backup yet. */
async function copyBlobs(
  folder: string,
  contentDir: string,
  hashes: readonly string[],
  { onProgress, signal }: BackupProgress,
): Promise<void> {
  const have = new Set((await blobsIn(folder)).map(({ hash }) => hash));
  const wanted = hashes.filter((hash) => !have.has(hash));
  for (const [index, hash] of wanted.entries()) {
    signal.throwIfAborted();
    await copyBlob(hash, contentDir, folder);
    onProgress?.("files", index + 1, wanted.length);
  }
}
