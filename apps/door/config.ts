import { backendSettings, readSettings } from "@connect-hub/runtime/settings";
import { z } from "zod";

const {
  HUB_ARCHIVE_DIR,
  HUB_NATS_URL,
  HUB_NATS_USER,
  HUB_NATS_PASSWORD,
  HUB_PREFIX,
  HUB_VAULT_URL,
  HUB_VAULT_ROOT,
  HUB_LOG_LEVEL,
} = backendSettings;
const schema = z.object({
  ...{ HUB_NATS_URL, HUB_NATS_USER, HUB_NATS_PASSWORD, HUB_PREFIX },
  ...{ HUB_VAULT_URL, HUB_VAULT_ROOT, HUB_LOG_LEVEL, HUB_ARCHIVE_DIR },
});

/** What the door is told from outside. */
export type DoorConfig = z.infer<typeof schema>;

/** The settings in `env`. Throws `BadSetting`. */
export function readDoorConfig(env: { readonly [name: string]: string | undefined }): DoorConfig {
  return readSettings("the door", schema, env);
}
