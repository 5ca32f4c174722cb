import type { BlobStore } from "@connect-hub/blobs";
import type { ServiceCommands } from "@connect-hub/jetstream";
import type { Logger } from "pino";
import { uuidv7 } from "uuidv7";

export interface MonitorOptions {
  readonly store: Pick<BlobStore, "usage">;
  readonly commands: ServiceCommands;
  /** What the log says that it is; undefined when that can't be known yet. */
  recorded(): Promise<string | undefined>;
  readonly log: Logger;
  /** How often the disk is looked at. 1,000 if left out. */
  readonly everyMs?: number;
}

/** Says on the log when the level of the server's disk changes, or at the start is another one than the log says. */
export function watchPressure({ store, commands, recorded, log, everyMs = 1_000 }: MonitorOptions): {
  close(): Promise<void>;
} {
  const closing = new AbortController();
  let reported: string | undefined;

  async function look(): Promise<void> {
    const { level, used, budget } = await store.usage();
    reported ??= await recorded();
    if (reported === undefined || level === reported) return;
    const data = { level, used: Math.floor(used), budget: Math.floor(budget) };
    const command = { id: uuidv7(), kind: "reportPressure", subject: "local", data } as const;
    const reply = await commands.send(command, closing.signal);
    if (reply === undefined) return;
    if ("refused" in reply) throw new Error(`the level of the disk was refused: ${reply.refused.code}`);
    log.info(data, "the level of the disk");
    reported = level;
  }

  let looking = Promise.resolve();
  let isLooking = false;
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    looking = look()
      .catch((error) => log.warn({ err: error }, "the disk can't be watched; trying again"))
      .finally(() => {
        isLooking = false;
      });
  }, everyMs);
  return {
    async close() {
      clearInterval(timer);
      closing.abort();
      await looking;
    },
  };
}
