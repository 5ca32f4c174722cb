import { connectEvents, ServiceError, type Subscription } from "@connect-hub/events";
import { appLog, untilOver, waitFor } from "@connect-hub/runtime";
import { badSetting, type WebhooksConfig } from "./config.ts";
import { assertWritable, deadLetters } from "./deadLetters.ts";
import { assertSendable, send } from "./send.ts";

export { readWebhooksConfig, type WebhooksConfig } from "./config.ts";
export { isSignedBy } from "./signature.ts";

/** The webhook sender at work. */
export interface RunningWebhooks {
  /** Resolves when it can't go on. */
  readonly over: Promise<Error>;
  close(): Promise<void>;
}

const maxBackOffMs = 60_000;
const noteEveryMs = 1_000;

/**
 * Starts to post events, those of one subject one after another. What the receiver does not take is tried again; after that its subject
 * waits, with all that follows, and stands in the file of dead letters. Throws `BadSetting`, `ServiceError` and `LogUnavailable`.
 */
export async function startWebhooks(config: WebhooksConfig): Promise<RunningWebhooks> {
  const log = appLog("webhooks", config.HUB_LOG_LEVEL);
  const { over, end } = untilOver();
  const { subscription, close } = await subscribe(config, (error) => log.warn({ err: error }, "trouble"));
  void subscription.ended.then(end);
  const dead = deadLetters(config.WEBHOOKS_DEAD_LETTERS, config.WEBHOOKS_DURABLE);
  const note = async () => {
    for (const { subject, event, reason } of dead.note(await subscription.parked()))
      log.error({ subject, event, reason }, "gave up; its later events wait. Retry: npm run webhooks -- --retry-dead");
  };
  const noting = setInterval(() => {
    note().catch((error) => log.warn({ err: error }, "dead letters can't be written down"));
  }, noteEveryMs);
  log.info({ url: config.WEBHOOKS_URL }, "sends");
  return {
    over,
    async close() {
      clearInterval(noting);
      await note().catch(() => undefined);
      await close();
    },
  };
}

/** What became of the dead letters. */
export interface RetryOutcome {
  readonly delivered: number;
  readonly stillDead: number;
}

/** Sends what waits once more, in order: by the sender that runs, or here when none does. Resolves when each was tried. */
export async function retryDead(config: WebhooksConfig, deadlineMs = 10 * 60_000): Promise<RetryOutcome> {
  const { subscription, close } = await subscribe(config, () => undefined);
  try {
    const before = await subscription.parked();
    const dead = deadLetters(config.WEBHOOKS_DEAD_LETTERS, config.WEBHOOKS_DURABLE);
    for (const { subject } of before) await subscription.retry(subject);
    const untried = new Set(before.map(({ parkedAt, event }) => `${event.id} ${parkedAt}`));
    const isDone = async () => {
      const now = await subscription.parked();
      return now.some(({ parkedAt, event }) => untried.has(`${event.id} ${parkedAt}`)) ? undefined : now;
    };
    const after = await waitFor(isDone, { timeoutMs: deadlineMs, everyMs: 200 });
    if (after === undefined) throw new Error("Not all was tried in time; the rest goes on.");
    dead.note(after);
    return { delivered: before.length - after.length, stillDead: after.length };
  } finally {
    await close();
  }
}

/** By which setting somebody asked for what a service does not get. */
const askedBy: { readonly [code in ServiceError["code"]]?: keyof WebhooksConfig } = {
  UnknownService: "HUB_NATS_USER",
  UnknownType: "WEBHOOKS_TYPES",
  NotAllowed: "WEBHOOKS_TYPES",
  BadDurable: "WEBHOOKS_DURABLE",
  InstancesFixed: "WEBHOOKS_INSTANCES",
};

/** Connects and subscribes. Throws `BadSetting` for settings that ask for what is not to be had. */
async function subscribe(config: WebhooksConfig, onTrouble: (error: unknown) => void): Promise<Subscribed> {
  await assertSendable(config.WEBHOOKS_URL);
  assertWritable(config.WEBHOOKS_DEAD_LETTERS);
  try {
    return await trySubscribe(config, onTrouble);
  } catch (error) {
    const setting = error instanceof ServiceError ? askedBy[error.code] : undefined;
    if (setting === undefined || !(error instanceof Error)) throw error;
    throw badSetting(setting, `asks for what is not to be had: ${error.message}`);
  }
}

interface Subscribed {
  readonly subscription: Subscription;
  close(): Promise<void>;
}

async function trySubscribe(config: WebhooksConfig, onTrouble: (error: unknown) => void): Promise<Subscribed> {
  const events = await connectEvents({
    url: config.HUB_NATS_URL,
    user: config.HUB_NATS_USER,
    password: config.HUB_NATS_PASSWORD,
    prefix: config.HUB_PREFIX,
  });
  const target = { url: config.WEBHOOKS_URL, secret: config.WEBHOOKS_SECRET, timeoutMs: config.WEBHOOKS_TIMEOUT_MS };
  try {
    const subscription = await events.subscribe({
      ...(config.WEBHOOKS_TYPES === undefined ? {} : { types: config.WEBHOOKS_TYPES }),
      durable: config.WEBHOOKS_DURABLE,
      from: config.WEBHOOKS_FROM,
      instances: config.WEBHOOKS_INSTANCES,
      maxAttempts: config.WEBHOOKS_ATTEMPTS,
      backOffMs: config.WEBHOOKS_BACK_OFF_MS,
      maxBackOffMs,
      onTrouble,
      async handler(batch, { signal }) {
        for (const event of batch) await send(event, { ...target, signal });
      },
    });
    return { subscription, close: () => events.close() };
  } catch (error) {
    await events.close();
    throw error;
  }
}
