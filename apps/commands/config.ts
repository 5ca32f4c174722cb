import { backendSettings, readSettings } from "@connect-hub/runtime/settings";
import { z } from "zod";

const schema = z.object({
  ...backendSettings,
  /** Passwords hashed at a time. */
  HUB_PASSWORD_THREADS: z.coerce.number().int().min(1).max(64).default(2),
});

/** What the commands app is told from outside. */
export type CommandsConfig = z.infer<typeof schema>;

/** The settings in `env`. Throws `BadSetting`. */
export function readCommandsConfig(env: { readonly [name: string]: string | undefined }): CommandsConfig {
  return readSettings("commands", schema, env);
}
