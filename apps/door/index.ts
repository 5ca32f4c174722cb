import { connectNats, serveDoor, serviceRegistry } from "@connect-hub/jetstream";
import { openPool } from "@connect-hub/postgres";
import { appLog } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import { doorAnswers } from "./answers.ts";
import type { DoorConfig } from "./config.ts";

export { type DoorConfig, readDoorConfig } from "./config.ts";

/**
 * Starts the filtering door: it reads the log for internal services, gives each what it may see, and keeps how far they are. Throws when the log or the vault can't be reached.
 */
export async function startDoor(config: DoorConfig): Promise<{ close(): Promise<void> }> {
  const log = appLog("door", config.HUB_LOG_LEVEL);
  const onTrouble = (error: Error): void => log.warn({ err: error }, "a connection to Postgres broke");
  const link = await connectNats({
    url: config.HUB_NATS_URL,
    user: config.HUB_NATS_USER,
    password: config.HUB_NATS_PASSWORD,
    name: "door",
    inboxPrefix: "_INBOX_door",
  });
  const keys = openPool(config.HUB_VAULT_URL, { name: "door", max: 2, onTrouble });
  const letGo = () => Promise.all([keys.end(), link.close()]);
  try {
    const vault = await openVault({ db: keys, rootFile: config.HUB_VAULT_ROOT });
    const prefix = config.HUB_PREFIX;
    const registry = serviceRegistry(link, prefix);
    const answers = doorAnswers({ link, prefix, archiveDir: config.HUB_ARCHIVE_DIR, registry, vault, log });
    const serving = serveDoor(link, prefix, answers.answer);
    log.info("serves");
    return {
      async close() {
        serving.close();
        answers.close();
        await letGo();
      },
    };
  } catch (error) {
    await letGo();
    throw error;
  }
}
