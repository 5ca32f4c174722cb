import { LogUnavailable } from "@connect-hub/domain/kernel";
import type { Context } from "@connect-hub/domain/values";
import { JetStreamApiCodes, jetstreamManager } from "@nats-io/jetstream";
import type { NatsLink } from "./connectNats.ts";
import { hasApiCode } from "./errors.ts";

const answerMs = 10_000;

/**
 * Takes away what anybody reads the lanes of these contexts by: nats-server asks for the right when a consumer is made, and never
 * again. Who still has the right makes another one, and goes on where it was. Throws `LogUnavailable`.
 */
export async function dropReaders(admin: NatsLink, prefix: string, contexts: readonly Context[]): Promise<void> {
  try {
    const { streams, consumers } = await jetstreamManager(admin.nc, { checkAPI: false, timeout: answerMs });
    for (const context of contexts) {
      for await (const { config: stream } of streams.list(`${prefix}log.${context}.>`)) {
        const names: string[] = [];
        for await (const { name } of consumers.list(stream.name)) names.push(name);
        for (const name of names) await unlessGone(consumers.delete(stream.name, name));
      }
    }
  } catch (cause) {
    throw new LogUnavailable("Readers of the log could not be cut off.", { cause });
  }
}

async function unlessGone(deleting: Promise<unknown>): Promise<void> {
  try {
    await deleting;
  } catch (error) {
    if (!hasApiCode(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
  }
}
