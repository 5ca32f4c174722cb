import { z } from "zod";

/** A setting is missing or has no meaning; the message names the variable and says what is allowed. */
export class BadSetting extends Error {
  override readonly name = "BadSetting";
}

/** The settings that every app has: where the log, the tables and the vault are. */
export const backendSettings = {
  HUB_NATS_URL: z.string().default("nats://127.0.0.1:7751"),
  HUB_NATS_USER: z.string().optional(),
  HUB_NATS_PASSWORD: z.string().optional(),
  /** Stands before all names in NATS. */
  HUB_PREFIX: z.string().default(""),
  /** The folder of the log's commits that are not in NATS any more. */
  HUB_ARCHIVE_DIR: z.string().optional(),
  HUB_AUTH_URL: z.string(),
  HUB_CHAT_URL: z.string(),
  HUB_CONTENT_URL: z.string(),
  HUB_VAULT_URL: z.string(),
  /** The path of the file with the vault's root key. */
  HUB_VAULT_ROOT: z.string(),
  HUB_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
};

/** The settings of apps that touch the bytes of files: where they lie here, and who asks placement for those on nodes. */
export const contentSettings = {
  /** The folder of the bytes of files. */
  HUB_CONTENT_DIR: z.string(),
  /** So many bytes they may take there; default: what the disk has, less the reserve. */
  HUB_CONTENT_BYTES: z.coerce.number().int().min(1).optional(),
  HUB_CONTENT_RESERVE_BYTES: z.coerce.number().int().min(0).optional(),
  /** Whoever shows it to placement may read all bytes. */
  HUB_PLACEMENT_SECRET: z.string().min(16),
};

/** The settings of `app` in an environment. Throws `BadSetting`. */
export function readSettings<S extends z.ZodType>(
  app: string,
  schema: S,
  env: { readonly [name: string]: string | undefined },
): z.infer<S> {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new BadSetting(`A setting of ${app} can't be used. ${problems.join("; ")}`);
}
