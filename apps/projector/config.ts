import { z } from "zod";

const schema = z.object({
  HUB_NATS_URL: z.string().default("nats://127.0.0.1:7751"),
  HUB_NATS_USER: z.string().optional(),
  HUB_NATS_PASSWORD: z.string().optional(),
  HUB_PREFIX: z.string().default(""),
  HUB_AUTH_URL: z.string(),
  HUB_CHAT_URL: z.string(),
  HUB_VAULT_URL: z.string(),
  /** The path of the file with the vault's root key. */
  HUB_VAULT_ROOT: z.string(),
  HUB_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
});

/** What the projector is told from outside. */
export type ProjectorConfig = z.infer<typeof schema>;

/** A setting is missing or has no meaning; the message names the variable. */
export class BadSetting extends Error {
  override readonly name = "BadSetting";
}

/** The settings in `env`. Throws `BadSetting`. */
export function readProjectorConfig(env: { readonly [name: string]: string | undefined }): ProjectorConfig {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new BadSetting(`A setting of the projector can't be used. ${problems.join("; ")}`);
}
