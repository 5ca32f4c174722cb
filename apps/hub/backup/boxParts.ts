import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import { type ContextModel, type Schema, schemaOf } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { type Context, contexts } from "@connect-hub/domain/values";
import { laneBytes, listLanes, type NatsLink, openLane, pastOf, reactorCheckpoint } from "@connect-hub/jetstream";
import { openPool, type PostgresPool } from "@connect-hub/postgres";
import type { Connections } from "../box/connections.ts";
import { connectAsOperator, connectAsWriter } from "../lanes.ts";
import type { RestoreTarget } from "./restoreBackup.ts";
import type { BackupSources } from "./takeBackup.ts";

const statementTimeoutMs = 600_000;
const models: { readonly [context in Context]: ContextModel } = {
  accounts: accountModel,
  rooms: roomModel,
  content: contentModel,
};

/** Runs `work` with what a backup of a box is taken of. */
export async function withBackupSources<T>(
  connections: Connections,
  work: (sources: BackupSources) => Promise<T>,
): Promise<T> {
  const { signingKey, prefix, archiveDir, vaultUrl, vaultRoot, content, placement, roomLanes } = connections;
  const pool = openVaultPool(vaultUrl);
  const link = await connectAsOperator(connections).catch(async (error) => {
    await pool.end();
    throw error;
  });
  try {
    const lanes = await Promise.all(
      (await listLanes(link, prefix)).map(async ({ lane: id, stream }) => {
        const lane = await openLane(link, { prefix, id, archiveDir });
        const { read } = reactorCheckpoint(link, prefix, lane);
        const past = await pastOf(link, { prefix, lane: id, archiveDir });
        const bytes = past.reduce((sum, part) => sum + part.bytes, await laneBytes(link, stream));
        return { lane, bytes, reacted: read };
      }),
    );
    return await work({
      lanes,
      vault: { db: pool, rootFile: vaultRoot },
      contentDir: content.dir,
      sshKey: placement.key,
      signingKey,
      configuration: { roomLanes, laneBytes: connections.laneBytes, prefix },
    });
  } finally {
    await Promise.all([pool.end(), link.close()]);
  }
}

/** Runs `work` with what a backup is restored to: a box whose servers run alone. */
export async function withRestoreTarget<T>(
  connections: Connections,
  work: (target: RestoreTarget) => Promise<T>,
): Promise<T> {
  const {
    prefix,
    natsReplicas: replicas,
    laneBytes: reserve,
    vaultUrl,
    vaultRoot,
    authUrl,
    chatUrl,
    contentUrl,
    content,
    placement,
    signingKey,
  } = connections;
  const urls: { readonly [schema in Schema]: string } = { auth: authUrl, chat: chatUrl, content: contentUrl };
  const vault = openVaultPool(vaultUrl);
  const tables = contexts.map((context) => {
    const model = models[context];
    return { model, pool: openPool(urls[schemaOf[context]], { name: "hub restore", max: 1, statementTimeoutMs }) };
  });
  const links: NatsLink[] = [];
  try {
    const admin = await connectAsOperator(connections);
    links.push(admin);
    const writer = await connectAsWriter(connections);
    links.push(writer);
    return await work({
      prefix,
      replicas,
      laneBytes: reserve,
      admin,
      writer,
      vault: { db: vault, rootFile: vaultRoot },
      tables,
      contentDir: content.dir,
      sshKey: placement.key,
      signingKey,
    });
  } finally {
    await Promise.all([vault, ...tables.map(({ pool }) => pool)].map((pool) => pool.end()));
    await Promise.all(links.map((link) => link.close()));
  }
}

function openVaultPool(url: string): PostgresPool {
  return openPool(url, { name: "hub", max: 1, statementTimeoutMs });
}
