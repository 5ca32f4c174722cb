import type { Kysely } from "kysely";
import type { ContentTables } from "../tables.ts";

/** A machine that keeps bytes, as it was added. */
export interface ContentNode {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly path: string;
  /** `SHA256:…` */
  readonly hostKey: string;
  readonly state: string;
  readonly addedAt: string;
}

/** Bytes, and where they are promised to be. */
export interface BlobPlaces {
  readonly hash: string;
  readonly size: number;
  /** The SHA-256 of each piece of 1 MiB, one after another, as base64url. */
  readonly chunks: string;
  /** How many files have them. */
  readonly refs: number;
  /** Whether the server's disk promises to have them. */
  readonly local: boolean;
  readonly replicas: readonly Replica[];
}

/** Bytes on a node. */
export interface Replica {
  /** The node's id. */
  readonly node: string;
  /** The name of the file on it. */
  readonly name: string;
  readonly verifiedAt: string;
}

/** A file's record, without what it is called. */
export interface FileRecord {
  readonly id: string;
  readonly owner: string;
  readonly room: string;
  readonly hash: string;
  readonly size: number;
  readonly state: string;
  readonly uploadedAt: string;
}

/** All nodes, by name. */
export async function contentNodes(db: Kysely<ContentTables>): Promise<ContentNode[]> {
  return db
    .selectFrom("content.nodes")
    .select(["id", "name", "host", "port", "username", "path", "host_key as hostKey", "state", "added_at as addedAt"])
    .orderBy("name")
    .execute();
}

/** What each node has, by its id; nodes that have nothing are left out. */
export async function bytesOnNodes(
  db: Kysely<ContentTables>,
): Promise<ReadonlyMap<string, { readonly blobs: number; readonly bytes: number }>> {
  const rows = await db
    .selectFrom("content.replicas")
    .select(["node", (eb) => eb.fn.countAll<number>().as("blobs"), (eb) => eb.fn.sum<string>("size").as("bytes")])
    .groupBy("node")
    .execute();
  return new Map(rows.map(({ node, blobs, bytes }) => [node, { blobs, bytes: Number(bytes) }]));
}

/** Where the bytes with these hashes are, in no order; hashes that no file ever had are left out. */
export async function blobPlaces(db: Kysely<ContentTables>, hashes: readonly string[]): Promise<BlobPlaces[]> {
  if (hashes.length === 0) return [];
  const wanted = [...new Set(hashes)];
  const [blobs, replicas] = await Promise.all([
    db
      .selectFrom("content.blobs")
      .select(["hash", "size", "chunks", "refs", "local"])
      .where("hash", "in", wanted)
      .execute(),
    db
      .selectFrom("content.replicas")
      .select(["hash", "node", "name", "verified_at as verifiedAt"])
      .where("hash", "in", wanted)
      .orderBy("verified_at")
      .execute(),
  ]);
  const places = new Map(blobs.map((blob) => [blob.hash, { ...blob, replicas: [] as Replica[] }]));
  for (const { hash, ...replica } of replicas) places.get(hash)?.replicas.push(replica);
  return [...places.values()];
}

/** Bytes with the number of their replicas. */
export interface BlobSummary {
  readonly hash: string;
  readonly size: number;
  readonly refs: number;
  readonly local: boolean;
  readonly replicas: number;
}

/** At most `limit` blobs after that hash, in the order of their hashes; the empty text for the first ones. */
export async function blobsAfter(db: Kysely<ContentTables>, hash: string, limit: number): Promise<BlobSummary[]> {
  return db
    .selectFrom("content.blobs")
    .select(["hash", "size", "refs", "local", "replicas"])
    .where("hash", ">", hash)
    .orderBy("hash")
    .limit(limit)
    .execute();
}

/** The blobs with these hashes, in no order; all that there are, when no hashes are given. */
export async function* blobSummaries(
  db: Kysely<ContentTables>,
  hashes?: readonly string[],
): AsyncGenerator<BlobSummary, void> {
  if (hashes !== undefined) {
    for (const { replicas, ...blob } of await blobPlaces(db, hashes)) yield { ...blob, replicas: replicas.length };
    return;
  }
  for (let last: string | undefined = ""; last !== undefined; ) {
    const page: readonly BlobSummary[] = await blobsAfter(db, last, pageSize);
    yield* page;
    last = page.at(-1)?.hash;
  }
}

const pageSize = 1_000;

/** The file with this id, or all files with these bytes; the newest first. */
export async function filesOf(db: Kysely<ContentTables>, idOrHash: string): Promise<FileRecord[]> {
  return db
    .selectFrom("content.files")
    .select(["id", "owner", "room_id as room", "hash", "size", "state", "uploaded_at as uploadedAt"])
    .where((eb) => eb.or([eb("id", "=", idOrHash), eb("hash", "=", idOrHash)]))
    .orderBy("uploaded_at", "desc")
    .execute();
}
