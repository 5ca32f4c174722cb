import type { Schema } from "@connect-hub/domain/kernel";
import { contexts, type LaneId } from "@connect-hub/domain/values";
import { connectNats, provisionLanes } from "@connect-hub/jetstream";
import { migrate as migrateSchema, openPool } from "@connect-hub/postgres";
import { openVault } from "@connect-hub/vault";
import type { Connections } from "./connections.ts";

/**
 * Makes everything in the servers that the apps expect and that isn't there yet: the log's lanes, the schemas with their tables,
 * the vault with its root key.
 * Changes nothing that is there and right, so it runs at every start.
 */
export async function migrate(connections: Connections, onProgress: (message: string) => void): Promise<void> {
  onProgress("Preparing the log and the tables …");
  await Promise.all([makeLanes(connections), makeSchemas(connections), makeVault(connections)]);
}

/** Makes the schemas of the read tables, empty, or brings them up to date. */
export async function makeSchemas({ authUrl, chatUrl, contentUrl }: Connections): Promise<void> {
  await Promise.all([makeSchema(authUrl, "auth"), makeSchema(chatUrl, "chat"), makeSchema(contentUrl, "content")]);
}

async function makeLanes(connections: Connections): Promise<void> {
  const link = await connectNats({
    url: connections.natsUrl,
    ...connections.natsLogins.hub,
    name: "hub",
    inboxPrefix: "_INBOX_hub",
  });
  try {
    const lanes = lanesOf(connections.roomLanes);
    const { prefix, natsReplicas: replicas, laneBytes: maxBytes } = connections;
    await provisionLanes(link, { prefix, lanes, replicas, maxBytes });
  } finally {
    await link.close();
  }
}

/** All lanes of a system: accounts and content always have one. */
export function lanesOf(roomLanes: number): readonly LaneId[] {
  const count = { accounts: 1, rooms: roomLanes, content: 1 };
  return contexts.flatMap((context) => Array.from({ length: count[context] }, (_, k): LaneId => `${context}.${k}`));
}

async function makeVault({ vaultUrl, vaultRoot }: Connections): Promise<void> {
  const pool = openPool(vaultUrl, { name: "hub", max: 1 });
  try {
    await openVault({ db: pool, rootFile: vaultRoot });
  } finally {
    await pool.end();
  }
}

async function makeSchema(url: string, schema: Schema): Promise<void> {
  const pool = openPool(url, { name: "hub", max: 1, statementTimeoutMs: 60_000 });
  try {
    await migrateSchema(pool, schema);
  } finally {
    await pool.end();
  }
}

/** What a PostgreSQL says that it is. */
export async function postgresVersion(url: string): Promise<string> {
  const pool = openPool(url, { name: "hub", max: 1 });
  try {
    const { rows } = await pool.query<{ server_version: string }>("show server_version");
    return rows[0]?.server_version ?? "";
  } finally {
    await pool.end();
  }
}
