import { z } from "zod";

const schema = z.object({
  HUB_HOST: z.string().default("127.0.0.1"),
  HUB_PORT: z.coerce.number().int().min(0).max(65_535).default(7750),
  HUB_NATS_URL: z.string().default("nats://127.0.0.1:7751"),
  HUB_NATS_USER: z.string().optional(),
  HUB_NATS_PASSWORD: z.string().optional(),
  HUB_PREFIX: z.string().default(""),
  HUB_AUTH_URL: z.string(),
  HUB_CHAT_URL: z.string(),
  HUB_VAULT_URL: z.string(),
  /** The path of the file with the vault's root key. */
  HUB_VAULT_ROOT: z.string(),
  HUB_VALKEY_URL: z.string().default("redis://127.0.0.1:7753"),
  HUB_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  /** Registrations, and sign-ins, from one address in a minute; for one e-mail address a tenth of it. */
  HUB_ATTEMPTS_PER_MINUTE: z.coerce.number().int().min(1).default(120),
});

/** What the edge is told from outside. */
export type EdgeConfig = z.infer<typeof schema>;

/** A setting is missing or has no meaning; the message names the variable. */
export class BadSetting extends Error {
  override readonly name = "BadSetting";
}

/** The settings in `env`. Throws `BadSetting`. */
export function readEdgeConfig(env: { readonly [name: string]: string | undefined }): EdgeConfig {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new BadSetting(`A setting of the edge can't be used. ${problems.join("; ")}`);
}
