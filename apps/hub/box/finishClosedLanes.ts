import { pause } from "@connect-hub/domain/kernel";
import { finishClosing } from "@connect-hub/jetstream";
import { connectAsOperator, connectAsWriter } from "../lanes.ts";
import type { Connections } from "./connections.ts";
import { lanesOf } from "./migrate.ts";

export interface FinishOptions {
  /** Told what was finished, and what was in the way. */
  say(message: string): void;
  /** How often it looks, in milliseconds, and how long whoever closed a lane has for going on with it. */
  readonly everyMs?: number;
  readonly afterMs?: number;
}

/**
 * While the box runs, has each lane go on whose epoch was closed by an archive that died before the next one was begun: nobody could
 * write to it for ever. Resolves when it has looked once. Throws `LogUnavailable` when it can't connect.
 */
export async function finishClosedLanes(
  connections: Connections,
  { say, everyMs = 5_000, afterMs = 5_000 }: FinishOptions,
): Promise<{ close(): Promise<void> }> {
  const { prefix, roomLanes, natsReplicas: replicas, laneBytes: maxBytes } = connections;
  const stop = new AbortController();
  const { signal } = stop;
  const admin = await connectAsOperator(connections);
  const writer = await connectAsWriter(connections).catch(async (error: unknown) => {
    await admin.close();
    throw error;
  });

  async function look(): Promise<void> {
    for (const lane of lanesOf(roomLanes)) {
      if (signal.aborted) return;
      try {
        const done = await finishClosing(admin, writer, { prefix, lane, replicas, maxBytes, signal, afterMs });
        if (done !== undefined)
          say(`An archive of ${lane} had broken off; the lane goes on with commit ${done.first}.`);
      } catch (error) {
        // A log that is away for a while is looked at again.
        if (writer.connected)
          say(`Can't see whether ${lane} is closed: ${error instanceof Error ? error.message : error}`);
      }
    }
  }

  async function goOn(): Promise<void> {
    for (;;) {
      await pause(everyMs, signal);
      if (signal.aborted) return;
      await look();
    }
  }

  await look();
  const running = goOn();
  return {
    async close() {
      stop.abort();
      await running;
      await Promise.all([admin.close(), writer.close()]);
    },
  };
}
