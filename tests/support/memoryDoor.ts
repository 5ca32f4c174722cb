import type { Vault } from "@connect-hub/domain/kernel";
import { connectNats, serveDoor, serviceRegistry } from "@connect-hub/jetstream";
import { appLog } from "@connect-hub/runtime";
import { doorAnswers } from "../../apps/door/answers.ts";

export interface MemoryDoorOptions {
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  readonly prefix: string;
  /** A vault in memory, so that no Postgres is needed. */
  readonly vault: Vault;
  readonly archiveDir?: string;
}

/** The filtering door as the app serves it, but for its vault. */
export async function memoryDoor(options: MemoryDoorOptions): Promise<{ close(): Promise<void> }> {
  const { prefix, vault, archiveDir } = options;
  const link = await connectNats({ ...options, name: "door", inboxPrefix: "_INBOX_door" });
  const registry = serviceRegistry(link, prefix);
  const answers = doorAnswers({ link, prefix, archiveDir, registry, vault, log: appLog("door", "silent") });
  const serving = serveDoor(link, prefix, answers.answer);
  return {
    async close() {
      serving.close();
      answers.close();
      await link.close();
    },
  };
}
