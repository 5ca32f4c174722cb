import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Beat, decodeBeat, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { connectNats, type NatsLink, provisionLanes, subscribeLive } from "@connect-hub/jetstream";
import { migrate, openPool } from "@connect-hub/postgres";

/** A system of its own on servers that others use too: a database, a prefix in NATS, a root key, all empty. */
export interface FreshBox {
  readonly prefix: string;
  /** The environment of its apps, for their `readXConfig`. */
  readonly env: { readonly [name: string]: string };
  /** A connection that may do everything. */
  readonly link: NatsLink;
  readonly databaseUrl: string;
  /** Resolves with the next beat of a lane: its writer is there. */
  nextBeat(lane: LaneId): Promise<Beat>;
  close(): Promise<void>;
}

/** Makes one. `servers` are URLs with all rights. */
export async function freshBox(servers: {
  readonly natsUrl: string;
  readonly postgresUrl: string;
  readonly valkeyUrl?: string;
  readonly roomLanes?: number;
  /** How many nats-servers keep each commit; default: 1. */
  readonly replicas?: number;
  /** The reserve of each lane, in bytes. */
  readonly laneBytes?: number;
}): Promise<FreshBox> {
  const name = `t_${randomBytes(6).toString("hex")}`;
  const prefix = `${name}_`;
  // To drop a large database takes a checkpoint.
  const admin = openPool(servers.postgresUrl, { name: "tests", max: 1, statementTimeoutMs: 60_000 });
  await admin.query(`create database ${name}`);
  const databaseUrl = Object.assign(new URL(servers.postgresUrl), { pathname: `/${name}` }).toString();
  const pool = openPool(databaseUrl, { name: "tests", max: 1 });
  await migrate(pool, "auth");
  await migrate(pool, "chat");
  await migrate(pool, "content");
  await pool.end();
  const link = await connectNats({ url: servers.natsUrl, name: "tests" });
  const rooms = Array.from({ length: servers.roomLanes ?? 1 }, (_, k): LaneId => `rooms.${k}`);
  await provisionLanes(link, {
    prefix,
    lanes: ["accounts.0", ...rooms, "content.0"],
    replicas: servers.replicas ?? 1,
    // NATS sets it aside, and boxes share its disk.
    maxBytes: servers.laneBytes ?? 256 * 1024 ** 2,
  });
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-box-"));
  return {
    prefix,
    link,
    databaseUrl,
    env: {
      HUB_NATS_URL: servers.natsUrl,
      HUB_PREFIX: prefix,
      HUB_AUTH_URL: databaseUrl,
      HUB_CHAT_URL: databaseUrl,
      HUB_CONTENT_URL: databaseUrl,
      HUB_VAULT_URL: databaseUrl,
      HUB_VAULT_ROOT: join(folder, "root.key"),
      HUB_CONTENT_DIR: join(folder, "content"),
      HUB_ARCHIVE_DIR: join(folder, "archive"),
      HUB_LOG_LEVEL: "warn",
      HUB_PORT: "0",
      // A test is one person who does much, and many who come at once.
      HUB_WAITING_SIGN_INS: "100000",
      HUB_REQUESTS_PER_SECOND: "1000000",
      HUB_ADDRESS_REQUESTS_PER_SECOND: "1000000",
      ...(servers.valkeyUrl && { HUB_VALKEY_URL: servers.valkeyUrl }),
    },
    nextBeat: (lane) =>
      new Promise((resolve) => {
        const listening = subscribeLive(link, subjects(prefix).beat(lane), ({ body }) => {
          const beat = decodeBeat(body);
          if (beat === undefined) return;
          listening.unsubscribe();
          resolve(beat);
        });
      }),
    async close() {
      await link.close();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
