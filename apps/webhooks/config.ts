import { BadSetting, natsUrls, readSettings } from "@connect-hub/runtime/settings";
import { z } from "zod";

const words = z.string().transform((text) =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== ""),
);

const schema = z.object({
  HUB_NATS_URL: natsUrls.default("nats://127.0.0.1:7751"),
  /** As `hub service add` said. */
  HUB_NATS_USER: z.string(),
  HUB_NATS_PASSWORD: z.string(),
  HUB_PREFIX: z.string().default(""),
  HUB_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  /** Where events go: `https://…`, or `http://…` where nobody is in between. */
  WEBHOOKS_URL: z.url({ protocol: /^https?$/, error: "must be an address like https://example.org/hook" }),
  /** What signs them; the receiver has it too. */
  WEBHOOKS_SECRET: z.string().min(16),
  /** Names of events by commas; all that the service may see if left out. */
  WEBHOOKS_TYPES: words.optional(),
  /** Where a sender begins that never ran before. */
  WEBHOOKS_FROM: z.enum(["start", "now"]).default("now"),
  /** Senders of other addresses beside this one need other names. */
  WEBHOOKS_DURABLE: z.string().default("webhooks"),
  /** How many senders can share the work; fixed at the first start. */
  WEBHOOKS_INSTANCES: z.coerce.number().int().min(1).max(64).default(1),
  /** The file that keeps what was given up, one JSON line each. */
  WEBHOOKS_DEAD_LETTERS: z.string().default("webhooks-dead.jsonl"),
  WEBHOOKS_TIMEOUT_MS: z.coerce.number().int().min(10).max(600_000).default(10_000),
  WEBHOOKS_ATTEMPTS: z.coerce.number().int().min(1).max(1_000_000).default(8),
  /** The pause after a failure, twice as long after each further one, up to a minute. */
  WEBHOOKS_BACK_OFF_MS: z.coerce.number().int().min(1).max(60_000).default(500),
});

/** What the webhook sender is told from outside. */
export type WebhooksConfig = z.infer<typeof schema>;

const sender = "the webhook sender";

/** That a setting turned out to be none: `problem` says why. */
export function badSetting(name: keyof WebhooksConfig, problem: string): BadSetting {
  return new BadSetting(`A setting of ${sender} can't be used: ${name} ${problem}`);
}

/** The settings in `env`. Throws `BadSetting`. */
export function readWebhooksConfig(env: { readonly [name: string]: string | undefined }): WebhooksConfig {
  return readSettings(sender, schema, env);
}
