import { backendSettings, readSettings } from "@connect-hub/runtime/settings";
import { z } from "zod";

const schema = z.object({
  ...backendSettings,
  /** Passwords hashed at a time. */
  HUB_PASSWORD_THREADS: z.coerce.number().int().min(1).max(64).default(2),
  /** How long a file may wait for the message that it was brought for, in hours … */
  HUB_CLAIM_HOURS: z.coerce.number().positive().default(24),
  /** … or in milliseconds, which wins. */
  HUB_CLAIM_MS: z.coerce.number().int().positive().optional(),
  /** The file with the key that signs the lanes' heads, each so many milliseconds; without it none are signed. */
  HUB_SIGNING_KEY: z.string().optional(),
  HUB_HEADS_MS: z.coerce.number().int().min(10).max(86_400_000).default(60_000),
  /** How often those are looked for that have waited too long, in milliseconds. */
  HUB_CLAIM_SWEEP_MS: z.coerce.number().int().positive().default(60_000),
});

/** What the commands app is told from outside. */
export type CommandsConfig = z.infer<typeof schema>;

/** The settings in `env`. Throws `BadSetting`. */
export function readCommandsConfig(env: { readonly [name: string]: string | undefined }): CommandsConfig {
  return readSettings("commands", schema, env);
}
