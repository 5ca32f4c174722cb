import { backendSettings, contentSettings, readSettings } from "@connect-hub/runtime/settings";
import { z } from "zod";

const schema = z.object({
  ...backendSettings,
  ...contentSettings,
  /** Where bytes that nodes have are served, on the loopback address; 0 for any free port. */
  HUB_PLACEMENT_PORT: z.coerce.number().int().min(0).max(65_535).default(7754),
  /** The file with the ssh key that nodes let in. */
  HUB_PLACEMENT_KEY: z.string(),
  /** A node keeps so many bytes free: other things on it need some room. */
  HUB_NODE_RESERVE_BYTES: z.coerce
    .number()
    .int()
    .min(0)
    .default(64 * 1024 * 1024),
  /** How often it looks for work that nobody told it of. */
  HUB_PLACEMENT_TICK_MS: z.coerce.number().int().min(10).default(5_000),
});

/** What placement is told from outside. */
export type PlacementConfig = z.infer<typeof schema>;

/** The settings in `env`. Throws `BadSetting`. */
export function readPlacementConfig(env: { readonly [name: string]: string | undefined }): PlacementConfig {
  return readSettings("placement", schema, env);
}
