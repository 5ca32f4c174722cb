import { join } from "node:path";
import { isRunning, readJsonIfThere, writeFileAtomic } from "@connect-hub/runtime";
import { z } from "zod";

const processState = z.enum(["starting", "ready", "waiting", "stopped"]);

const serverSchema = z.object({
  kind: z.enum(["nats", "postgres", "valkey"]),
  source: z.enum(["url", "path", "private"]),
  version: z.string(),
  address: z.string(),
  /** Null for a server by URL, and so are `pid` and `state`. */
  dataFolder: z.string().nullable(),
  pid: z.number().nullable(),
  state: processState.nullable(),
  restarts: z.number(),
});

const processSchema = z.object({
  name: z.string(),
  apps: z.array(z.string()),
  pid: z.number().nullable(),
  state: processState,
  restarts: z.number(),
});

const schema = z.object({
  phase: z.enum(["starting", "ready", "stopping"]),
  /** Where the edge answers. */
  address: z.string(),
  dataFolder: z.string(),
  supervisor: z.object({ pid: z.number(), startedAt: z.string() }),
  servers: z.array(serverSchema),
  processes: z.array(processSchema),
});

/** What runs in a box, as its supervisor last wrote it. */
export type BoxState = z.infer<typeof schema>;

/** One server in a box's state. */
export type ServerState = z.infer<typeof serverSchema>;

/** Writes the state for the other commands of `hub`. */
export function writeBoxState(dataDir: string, state: BoxState): void {
  writeFileAtomic(pathOf(dataDir), `${JSON.stringify(state, undefined, 2)}\n`);
}

/** The state as last written; `undefined` when the box never ran. */
export function readBoxState(dataDir: string): BoxState | undefined {
  const parsed = schema.safeParse(readJsonIfThere(pathOf(dataDir)));
  return parsed.success ? parsed.data : undefined;
}

/** Whether the process that wrote a state still runs, so that the state is true. */
export function isSupervised(state: BoxState): boolean {
  return isRunning(state.supervisor);
}

function pathOf(dataDir: string): string {
  return join(dataDir, "run/state.json");
}
