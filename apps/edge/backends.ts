import { accountTables } from "@connect-hub/domain/account";
import { contentTables } from "@connect-hub/domain/content";
import { type FactSource, type KeyedHashes, loadKeyedHashes, type Vault } from "@connect-hub/domain/kernel";
import { roomTables } from "@connect-hub/domain/room";
import { connectNats, type NatsLink } from "@connect-hub/jetstream";
import { openPool, type PostgresPool, pgFactSource } from "@connect-hub/postgres";
import { connectValkey, type Valkey } from "@connect-hub/valkey";
import { openVault } from "@connect-hub/vault";
import type { Logger } from "pino";
import type { EdgeConfig } from "./config.ts";

/** What an edge rests on. */
export interface Backends {
  readonly link: NatsLink;
  readonly source: FactSource;
  /** For what is asked of rooms beside facts: by a part of a key, or a range of one. */
  readonly chat: PostgresPool;
  readonly vault: Vault;
  readonly hashes: KeyedHashes;
  readonly valkey: Valkey;
}

/** What closes again what was opened, in the order of opening. */
export type Closers = (() => Promise<unknown>)[];

/** Connects to everything; what was opened is in `opened` also when this throws. */
export async function openBackends(config: EdgeConfig, log: Logger, opened: Closers): Promise<Backends> {
  const onTrouble = (error: Error): void => log.warn({ err: error }, "a connection to Postgres broke");
  const pool = (url: string, byKeyOnly: boolean): PostgresPool => {
    const made = openPool(url, { name: "edge", byKeyOnly, onTrouble });
    opened.push(() => made.end());
    return made;
  };
  const facts = {
    auth: pool(config.HUB_AUTH_URL, true),
    chat: pool(config.HUB_CHAT_URL, true),
    content: pool(config.HUB_CONTENT_URL, true),
  };
  const source = pgFactSource(facts, [...accountTables, ...roomTables, ...contentTables]);
  const chat = pool(config.HUB_CHAT_URL, true);
  const vault = await openVault({ db: pool(config.HUB_VAULT_URL, false), rootFile: config.HUB_VAULT_ROOT });
  const hashes = await loadKeyedHashes(vault);
  const link = await connectNats({
    url: config.HUB_NATS_URL,
    user: config.HUB_NATS_USER,
    password: config.HUB_NATS_PASSWORD,
    name: config.HUB_NAME,
    inboxPrefix: "_INBOX_edge",
  });
  opened.push(() => link.close());
  const onError = (error: Error): void => log.warn({ err: error }, "Valkey is away");
  const valkey = await connectValkey(config.HUB_VALKEY_URL, { onError });
  opened.push(() => valkey.close());
  return { link, source, chat, vault, hashes, valkey };
}
