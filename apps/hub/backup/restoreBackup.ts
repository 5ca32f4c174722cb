import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type ContextModel, subjects } from "@connect-hub/domain/kernel";
import { type Context, contextOf, type LaneId } from "@connect-hub/domain/values";
import {
  enterEpoch,
  fixLaneCounts,
  type NatsLink,
  openNextEpoch,
  reactorCheckpoint,
  removeFormerEpochs,
  sealLane,
  setReserve,
} from "@connect-hub/jetstream";
import { emptyTables, type PostgresPool } from "@connect-hub/postgres";
import { writeFileAtomic } from "@connect-hub/runtime";
import { type Queryable, replaceVault } from "@connect-hub/vault";
import { checkedWhole } from "./backupFiles.ts";
import { blobsIn, copyBlob, hashOf } from "./blobCopies.ts";
import { type CheckedBackup, keysOf } from "./checkBackup.ts";
import { blobFile, laneFile, signingKeyFile, sshKeyFile } from "./manifest.ts";
import { fillLane } from "./restoreLane.ts";
import type { BackupProgress } from "./takeBackup.ts";

/** Where a backup is restored to: servers that run, with their schemas, and no app beside them. */
export interface RestoreTarget {
  readonly prefix: string;
  readonly replicas: number;
  /** The reserve of each lane on the disk. */
  readonly laneBytes: number;
  /** May make and remove streams. */
  readonly admin: NatsLink;
  /** May append to the log. */
  readonly writer: NatsLink;
  readonly vault: { readonly db: Queryable; readonly rootFile: string };
  readonly tables: readonly { readonly pool: PostgresPool; readonly model: ContextModel }[];
  /** The folder of the content store. */
  readonly contentDir: string;
  /** Where the key for nodes is to lie. */
  readonly sshKey: string;
  /** Where the key that signs heads is to lie. */
  readonly signingKey: string;
}

/** The steps of a restore, in their order. A test stops at each of them. */
export const restoreSteps = [
  "fill lanes",
  "put bytes back",
  "seal lanes",
  "replace keys",
  "note reactors",
  "enter epochs",
  "remove former epochs",
  "empty tables",
  "remove other bytes",
] as const;
export type RestoreStep = (typeof restoreSteps)[number];

/**
 * Makes the servers what the backup says, each lane in the epoch that `epochs` has for it. The present lanes can be written until
 * "seal lanes", and are what counts until "enter epochs". Each step may be done again, so that a restore that broke off is finished
 * by calling this with the same epochs; between the two nothing may be served. Throws what was in the way.
 */
export async function restoreBackup(
  backup: CheckedBackup,
  target: RestoreTarget,
  epochs: Readonly<Record<string, string>>,
  progress: BackupProgress & { step?(name: RestoreStep): void | Promise<void> },
): Promise<void> {
  const lanes = Object.entries(epochs).map(([lane, epoch]) => ({ lane: lane as LaneId, epoch }));
  const { admin, prefix, replicas } = target;
  const work: { readonly [step in RestoreStep]: () => Promise<void> } = {
    "fill lanes": () => fillLanes(backup, target, lanes, progress),
    "put bytes back": () => putBytesBack(backup, target, progress),
    "seal lanes": async () => {
      for (const { lane, epoch } of lanes) await sealLane(admin, { prefix, lane, next: epoch });
    },
    "replace keys": () => replaceKeys(backup, target),
    "note reactors": () => noteReactors(backup, target, lanes),
    "enter epochs": async () => {
      for (const { lane, epoch } of lanes) await enterEpoch(admin, { prefix, lane, epoch, replicas });
    },
    "remove former epochs": async () => {
      const present = lanes.map(({ lane, epoch }) => subjects(prefix).logStream(lane, epoch));
      await removeFormerEpochs(admin, { prefix, present });
      for (const stream of present) await setReserve(admin, stream, target.laneBytes);
    },
    "empty tables": async () => {
      for (const { pool, model } of target.tables) await emptyTables(pool, model);
    },
    "remove other bytes": () => removeOtherBytes(backup, target),
  };
  for (const step of restoreSteps) {
    progress.signal.throwIfAborted();
    await progress.step?.(step);
    await work[step]();
  }
}

interface LaneEpoch {
  readonly lane: LaneId;
  readonly epoch: string;
}

async function fillLanes(
  backup: CheckedBackup,
  target: RestoreTarget,
  lanes: readonly LaneEpoch[],
  progress: BackupProgress,
): Promise<void> {
  const { admin, writer, prefix, replicas } = target;
  const counts = new Map<Context, number>();
  for (const { lane } of lanes) counts.set(contextOf(lane), (counts.get(contextOf(lane)) ?? 0) + 1);
  await fixLaneCounts(admin, { prefix, counts, replicas });
  for (const { lane, epoch } of lanes) {
    // As long as the former stream is there too, this one reserves no more than it needs.
    const size = backup.manifest.files.find(({ path }) => path === laneFile(lane))?.size ?? 0;
    const maxBytes = Math.max(smallestReserve, Math.ceil(size * 1.25));
    const next = await openNextEpoch(admin, writer, { prefix, lane, epoch, replicas, maxBytes });
    await fillLane({ lane, epoch, next }, backup, progress);
  }
}

async function putBytesBack(
  { folder, manifest }: CheckedBackup,
  { contentDir }: RestoreTarget,
  { onProgress, signal }: BackupProgress,
): Promise<void> {
  const blobs = manifest.files.filter(({ path, sha256 }) => path === blobFile(sha256));
  const here = new Map((await blobsIn(contentDir)).map(({ hash, size }) => [hash, size]));
  for (const [index, { sha256, size }] of blobs.entries()) {
    signal.throwIfAborted();
    const isHere = here.get(sha256) === size && (await hashOf(join(contentDir, blobFile(sha256)))) === sha256;
    if (!isHere) await copyBlob(sha256, folder, contentDir);
    onProgress?.("files", index + 1, blobs.length);
  }
}

/** What is sealed can be opened again, and the nodes of the backup let the box in. */
async function replaceKeys(backup: CheckedBackup, { vault, sshKey, signingKey }: RestoreTarget): Promise<void> {
  await replaceVault(vault, backup.root, keysOf(backup));
  const keyFiles = [
    [sshKey, sshKeyFile],
    [signingKey, signingKeyFile],
  ] as const;
  for (const [target, name] of keyFiles) {
    const key = backup.manifest.files.find(({ path }) => path === name);
    if (key !== undefined) writeFileAtomic(target, await checkedWhole(backup.folder, key));
  }
}

/** What a reactor had done is done in what was restored too: it goes on from there. */
async function noteReactors(
  { manifest }: CheckedBackup,
  { admin, prefix }: RestoreTarget,
  lanes: readonly LaneEpoch[],
): Promise<void> {
  for (const { lane: id, epoch } of lanes) {
    const reacted = manifest.lanes.find(({ lane }) => lane === id)?.reacted ?? 0;
    await reactorCheckpoint(admin, prefix, { id, epoch }).write(reacted);
  }
}

/** Removes the bytes that no backed-up file has. A copy of what nodes have stays: nobody has asked them whether they still do. */
async function removeOtherBytes({ manifest }: CheckedBackup, { contentDir }: RestoreTarget): Promise<void> {
  const promised = new Set([
    ...manifest.files.map(({ path }) => path),
    ...manifest.elsewhere.map(({ hash }) => blobFile(hash)),
  ]);
  for (const { hash } of await blobsIn(contentDir)) {
    if (!promised.has(blobFile(hash))) await rm(join(contentDir, blobFile(hash)));
  }
}

const smallestReserve = 4 * 1024 * 1024;
