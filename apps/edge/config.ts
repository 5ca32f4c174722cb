import { backendSettings, readSettings } from "@connect-hub/runtime/settings";
import { z } from "zod";

const schema = z.object({
  ...backendSettings,
  HUB_HOST: z.string().default("127.0.0.1"),
  HUB_PORT: z.coerce.number().int().min(0).max(65_535).default(7750),
  HUB_VALKEY_URL: z.string().default("redis://127.0.0.1:7753"),
  /** Registrations, and sign-ins, from one address in a minute; for one e-mail address a tenth of it. */
  HUB_ATTEMPTS_PER_MINUTE: z.coerce.number().int().min(1).default(120),
});

/** What the edge is told from outside. */
export type EdgeConfig = z.infer<typeof schema>;

/** The settings in `env`. Throws `BadSetting`. */
export function readEdgeConfig(env: { readonly [name: string]: string | undefined }): EdgeConfig {
  return readSettings("the edge", schema, env);
}
