import { z } from "zod";
import type { Connections } from "./box/connections.ts";

const schema = z.object({
  disk: z.object({ used: z.number(), budget: z.number(), level: z.string() }),
  nodes: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      state: z.enum(["up", "down", "untried"]),
      lastError: z.object({ code: z.string(), text: z.string(), at: z.string() }).nullable(),
      freeBytes: z.number().nullable(),
      upBytesPerSecond: z.number().nullable(),
      downBytesPerSecond: z.number().nullable(),
    }),
  ),
  moves: z.array(z.object({ hash: z.string(), size: z.number(), node: z.string(), startedAt: z.string() })),
});

/** What placement says of the disk, of nodes and of what it does. */
export type PlacementStatus = z.infer<typeof schema>;

const timeoutMs = 3_000;

/** Asks placement; undefined when it doesn't answer. */
export async function placementStatus({ placement }: Connections): Promise<PlacementStatus | undefined> {
  try {
    const response = await fetch(new URL("/status", placement.url), {
      headers: { authorization: `Bearer ${placement.secret}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const parsed = schema.safeParse(await response.json());
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
