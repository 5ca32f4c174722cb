import { backendSettings, readSettings } from "@connect-hub/runtime/settings";
import { z } from "zod";

const schema = z.object(backendSettings);

/** What the projector is told from outside. */
export type ProjectorConfig = z.infer<typeof schema>;

/** The settings in `env`. Throws `BadSetting`. */
export function readProjectorConfig(env: { readonly [name: string]: string | undefined }): ProjectorConfig {
  return readSettings("the projector", schema, env);
}
