import type * as z from "zod/mini";
import type { CommandDefinition } from "./command.ts";

/** A zod schema as a command's input. */
export function inputOf(schema: z.ZodMiniType): CommandDefinition["input"] {
  return {
    safeParse(data) {
      const parsed = schema.safeParse(data);
      return parsed.success
        ? { success: true, data: parsed.data as never }
        : { success: false, error: { issues: parsed.error.issues.map(({ path, message }) => ({ path, message })) } };
    },
  };
}
