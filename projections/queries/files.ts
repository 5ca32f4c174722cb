import type { LaneId } from "@connect-hub/domain/values";
import type { Kysely, Selectable } from "kysely";
import { jsonArrayFrom } from "kysely/helpers/postgres";
import type { ContentTables } from "../tables.ts";

/** The record of a file. */
export type StoredFile = Selectable<ContentTables["content.files"]>;

/** The bytes of files, and where they are. */
export interface StoredBlob {
  readonly hash: string;
  readonly size: number;
  /** The SHA-256 (32 bytes) of each 1 MiB piece, one after another, as base64url. */
  readonly chunks: string;
  /** How many files that are not released have them. */
  readonly refs: number;
  /** Whether the server's disk promises to have them. */
  readonly local: boolean;
  /** Those that were verified, in the order of their nodes: the node's id and the name of the file there. */
  readonly replicas: readonly { readonly node: string; readonly name: string }[];
}

/** A node that takes files, and how it is reached. */
export interface StoredNode {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly path: string;
  /** `SHA256:…`, as OpenSSH prints it. */
  readonly hostKey: string;
}

/** The file with this id, whatever its state. */
export function fileById(db: Kysely<ContentTables>, id: string): Promise<StoredFile | undefined> {
  return db.selectFrom("content.files").selectAll().where("id", "=", id).executeTakeFirst();
}

/** The blobs with these hashes, in no order; hashes that nobody brought are left out. */
export async function blobsByHash(db: Kysely<ContentTables>, hashes: readonly string[]): Promise<StoredBlob[]> {
  if (hashes.length === 0) return [];
  return db
    .selectFrom("content.blobs as b")
    .select((eb) => [
      "b.hash",
      "b.size",
      "b.chunks",
      "b.refs",
      "b.local",
      jsonArrayFrom(
        eb
          .selectFrom("content.replicas as r")
          .select(["r.node", "r.name"])
          .whereRef("r.hash", "=", "b.hash")
          .where("r.state", "=", "verified")
          .orderBy("r.node"),
      ).as("replicas"),
    ])
    .where("b.hash", "in", [...new Set(hashes)])
    .execute();
}

/** The nodes that take files, in the order in which they were added. */
export function activeNodes(db: Kysely<ContentTables>): Promise<StoredNode[]> {
  return db
    .selectFrom("content.nodes")
    .select(["id", "name", "host", "port", "username as user", "path", "host_key as hostKey"])
    .where("state", "=", "active")
    .orderBy("added_at")
    .orderBy("id")
    .execute();
}

/** The level at which a store was last said to be, with the commit up to which that is known; null when it never was. */
export async function storeLevel(
  db: Kysely<ContentTables>,
  store: string,
  lane: LaneId,
): Promise<{ readonly level: string | null; readonly n: number }> {
  const row = await db
    .selectFrom("content.checkpoints as c")
    .leftJoin("content.stores as s", (join) => join.on("s.id", "=", store))
    .select(["s.level", "c.n"])
    .where("c.lane", "=", lane)
    .executeTakeFirst();
  return row ?? { level: null, n: 0 };
}

/** A file that was claimed, and that nobody has posted. */
export interface Claim {
  readonly file: string;
  readonly room: string;
  /** The instant of the claim, ISO. */
  readonly claimedAt: string;
}

type Place = Pick<Claim, "claimedAt" | "file">;

const first: Place = { claimedAt: "-infinity", file: "" };

/** At most `limit` claims from before the instant `before` (ISO), the oldest first; those that come after `after`, if given. */
export function dueClaims(
  db: Kysely<ContentTables>,
  {
    before,
    limit,
    after = first,
  }: { readonly before: string; readonly limit: number; readonly after?: Place | undefined },
): Promise<Claim[]> {
  return db
    .selectFrom("content.files")
    .select(["id as file", "room_id as room", "uploaded_at as claimedAt"])
    .where("state", "=", "claimed")
    .where("uploaded_at", "<", before)
    .where(({ eb, refTuple, tuple }) => eb(refTuple("uploaded_at", "id"), ">", tuple(after.claimedAt, after.file)))
    .orderBy("uploaded_at")
    .orderBy("id")
    .limit(limit)
    .execute();
}
